"""The instance's end of its socketpair with the worker host: whole frames in, whole frames out.

    header, 16 bytes, little endian: length u32, kind u8, version u8, zero u16, id u64     then 'length' bytes
    common/frame/include/frame/frame.h is the contract.

A model's code runs in this process and may fork. Its child leaves the socket alone, and cannot come back into the loop that reads it.
"""

import os
import socket
import struct

LOAD, LOADED, FAILED, INVOKE, RESULT, ERROR = range(1, 7)

VERSION = 1
MAX_PAYLOAD = 7 << 20
_HEADER = struct.Struct("<IBBHQ")
_FIRST_READ = 64 << 10


class Broken(Exception):
    """The host sent something that is no frame, or is gone."""


class Link:
    def __init__(self, fd):
        os.set_inheritable(fd, False)
        self._socket = socket.socket(fileno=fd)
        self._socket.setblocking(True)
        self._buffer = bytearray(_FIRST_READ)
        self._ours = True
        os.register_at_fork(after_in_child=self._leave)

    def _leave(self):
        """In a child that the model's code forked: the host's socket is not its business."""
        self._ours = False
        try:
            self._socket.close()
        except OSError:
            pass

    def detach(self):
        """The descriptor is another's from now on."""
        self._socket.detach()

    def _check_ours(self):
        """A forked child of the model's code that returned instead of leaving ends here."""
        if not self._ours:
            os._exit(0)

    def _fill(self, view, have, need):
        """Receives until 'need' bytes are there, or the host has closed; how many are."""
        while have < need:
            try:
                n = self._socket.recv_into(view[have:])
            except OSError as e:
                raise Broken(str(e)) from None
            if n == 0:
                break
            have += n
        return have

    def receive(self):
        """The next frame as (kind, id, payload), payload a view that lives until the next call; None when the host has closed."""
        self._check_ours()
        if len(self._buffer) > _FIRST_READ:
            self._buffer = bytearray(_FIRST_READ)
        view = memoryview(self._buffer)
        have = self._fill(view, 0, _HEADER.size)
        if have == 0:
            return None
        if have < _HEADER.size:
            raise Broken("a frame ends in its header")
        length, kind, version, zero, frame_id = _HEADER.unpack_from(view)
        need = _HEADER.size + length
        if version != VERSION or zero != 0 or length > MAX_PAYLOAD or have > need:
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

    def send(self, kind, frame_id, payload):
        self._check_ours()
        try:
            self._socket.sendall(_HEADER.pack(len(payload), kind, VERSION, 0, frame_id) + payload, socket.MSG_NOSIGNAL)
        except OSError as e:
            raise Broken(str(e)) from None
