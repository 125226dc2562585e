"""An answer that is made piece by piece and has a type of its own: an SVG of the points in the body."""


def model_fn(model_dir):
    return "navy"


def input_fn(body, content_type):
    return [tuple(map(float, line.split(","))) for line in body.decode().split()]


def predict_fn(data, model):
    def pieces():
        yield '<svg xmlns="http://www.w3.org/2000/svg">'
        for x, y in data:
            yield '<circle cx="%g" cy="%g" r="1" fill="%s"/>' % (x, y, model)
        yield "</svg>"
    return pieces()


def output_fn(prediction, accept):
    from pilotlight import Response

    return Response(prediction, content_type="image/svg+xml", custom_attributes="drawn=1")
