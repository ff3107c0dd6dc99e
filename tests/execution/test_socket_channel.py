"""The socket pair between a runner and its kernel."""

from runwidgets.execution.kernels.socket_channel import IOPUB, SHELL, Receiver, Sender, open_pair


def test_what_was_sent_before_an_end_with_an_unread_request_is_received() -> None:
    """The system first reports the reset, and then delivers what the kernel had said."""
    ours, theirs = open_pair()
    receiver = Receiver(ours)
    Sender(ours).send([SHELL, b"a request that is never read"])
    Sender(theirs).send([IOPUB, b"the last output"])
    theirs.close()

    assert list(receiver.receive()) == [[IOPUB, b"the last output"]]
    assert receiver.is_closed
    ours.close()
