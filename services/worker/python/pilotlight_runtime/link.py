"""The instance's ends of its sockets: whole frames in, whole frames out.

    header, 16 bytes, little endian: length u32, kind u8, version u8, printed u8, zero u8, id u64     then 'length' bytes
    common/frame/include/frame/frame.h is the contract.

One socket is the worker host's, the other, where there is one, that of a router which has borrowed this instance. Whichever has a frame is
heard, an answer goes where its question came from. The router may go at any time: what it leaves unfinished is dropped.

A model's code runs in this process and may fork. Its child leaves the sockets alone, and cannot come back into the loop that reads them.
"""

import array
import fcntl
import os
import select
import socket
import struct
import termios

LOAD, LOADED, FAILED, INVOKE, RESULT, ERROR, ATTACH, DETACH, DETACHED = range(1, 10)

VERSION = 1
MAX_PAYLOAD = 7 << 20
_HEADER = struct.Struct("<IBBBBQ")
_FIRST_READ = 64 << 10
_PASSED = socket.CMSG_SPACE(array.array("i").itemsize)


class Broken(Exception):
    """The host sent something that is no frame, or is gone."""


def _has_printed():
    """Something is in the pipe that standard error is, and nobody has read it yet."""
    count = array.array("i", [0])
    try:
        fcntl.ioctl(2, termios.FIONREAD, count)
    except OSError:
        return False
    return count[0] > 0


class Link:
    def __init__(self, fd):
        os.set_inheritable(fd, False)
        self._socket = socket.socket(fileno=fd)
        self._socket.setblocking(True)
        self._direct = None  # the router's
        self._from = self._socket  # the one of the two that the last frame came from
        self._poll = select.poll()
        self._poll.register(self._socket, select.POLLIN)
        self._buffer = bytearray(_FIRST_READ)
        self._ours = True
        os.register_at_fork(after_in_child=self._leave)

    def _leave(self):
        """In a child that the model's code forked: the host's sockets are not its business."""
        self._ours = False
        for ours in (self._socket, self._direct):
            try:
                if ours is not None:
                    ours.close()
            except OSError:
                pass

    def detach(self):
        """The descriptor is another's from now on."""
        self._socket.detach()

    def _check_ours(self):
        """A forked child of the model's code that returned instead of leaving ends here."""
        if not self._ours:
            os._exit(0)

    # ---- two sockets ----

    def _drop_direct(self):
        if self._direct is None:
            return
        try:
            self._poll.unregister(self._direct)
        except (KeyError, OSError, ValueError):
            pass
        self._direct.close()
        self._direct = None
        self._from = self._socket

    def _take_descriptors(self, ancillary):
        for level, kind, data in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                fds = array.array("i")
                fds.frombytes(data[: len(data) - len(data) % fds.itemsize])
                for fd in fds:
                    self._drop_direct()
                    self._direct = socket.socket(fileno=fd)
                    self._direct.setblocking(True)
                    self._poll.register(self._direct, select.POLLIN)

    def _choose(self):
        """Which socket is heard next. A request that has been sent is served, also by one that is to stop."""
        self._from = self._socket
        if self._direct is None:
            return
        direct = self._direct.fileno()
        for fd, _ in self._poll.poll():
            if fd == direct:
                self._from = self._direct

    def _receive_some(self, view):
        if self._from is not self._socket:
            return self._from.recv_into(view)
        n, ancillary, _, _ = self._socket.recvmsg_into([view], _PASSED, socket.MSG_CMSG_CLOEXEC)
        self._take_descriptors(ancillary)
        return n

    def _fill(self, view, have, need):
        """Receives until 'need' bytes are there, or the peer has closed; how many are. The worker's frames may follow each other."""
        while have < need:
            try:
                n = self._receive_some(view[have:need] if self._from is self._socket else view[have:])
            except OSError as e:
                raise Broken(str(e)) from None
            if n == 0:
                break
            have += n
        return have

    # ---- in ----

    def _receive_frame(self):
        self._choose()
        if len(self._buffer) > _FIRST_READ:
            self._buffer = bytearray(_FIRST_READ)
        view = memoryview(self._buffer)
        have = self._fill(view, 0, _HEADER.size)
        if have == 0:
            return None
        if have < _HEADER.size:
            raise Broken("a frame ends in its header")
        length, kind, version, printed, zero, frame_id = _HEADER.unpack_from(view)
        need = _HEADER.size + length
        if version != VERSION or printed != 0 or zero != 0 or length > MAX_PAYLOAD or have > need:
            raise Broken("what came is no frame")
        if need > len(view):
            bigger = bytearray(need)
            bigger[:have] = view[:have]
            view.release()
            self._buffer = bigger
            view = memoryview(bigger)
        if self._fill(view, have, need) < need:
            raise Broken("a frame ends in its payload")
        return kind, frame_id, view[_HEADER.size : need]

    def receive(self):
        """The next LOAD or INVOKE as (kind, id, payload), payload a view that lives until the next call; None when the worker has closed."""
        self._check_ours()
        while True:
            try:
                frame = self._receive_frame()
            except Broken:
                if self._from is self._socket:
                    raise
                frame = None
            if frame is None and self._from is not self._socket:
                self._drop_direct()
                continue
            if frame is not None and frame[0] == DETACH:
                self._drop_direct()
                self.send(DETACHED, frame[1], b"")
            elif frame is None or frame[0] != ATTACH:
                return frame

    # ---- out ----

    def send(self, kind, frame_id, payload):
        """For a router that is gone there is nothing to do."""
        self._check_ours()
        direct = self._from is not self._socket
        printed = int(direct and kind in (RESULT, ERROR) and _has_printed())
        try:
            self._from.sendall(_HEADER.pack(len(payload), kind, VERSION, printed, 0, frame_id) + payload, socket.MSG_NOSIGNAL)
        except OSError as e:
            if not direct:
                raise Broken(str(e)) from None
            self._drop_direct()
