"""A dashboard session without a browser: speaks the websocket protocol, so that many fit on one machine."""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import Any

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.sync.client import connect

TIMEOUT = 300.0


class Session:
    """One person's session: opens pages, types numbers and texts, presses buttons; times each until the server is idle.

    Attributes:
        widgets: widgets on the page by kind and label.
        pages: address of each page by path.
        said: texts of the open page: markdown and captions, in the order in which they came.
        html: HTML of the open page.
        faults: exceptions and errors that the open page shows.
    """

    def __init__(self, url: str, *, query: str = "") -> None:
        self.widgets: dict[tuple[str, str], Any] = {}
        self.pages: dict[str, str] = {}
        self.said: list[str] = []
        self.html: list[str] = []
        self.faults: list[str] = []
        self._states: dict[str, WidgetState] = {}
        self._query, self._page, self._name = query, "", ""
        self._open = ExitStack()
        address = f"{url.replace('http', 'ws', 1)}/_stcore/stream"
        self._socket = self._open.enter_context(connect(address, origin=url, subprotocols=["streamlit"], max_size=None))

    def open(self, name: str) -> float:
        """Open a page by its path, empty for the first; return the seconds until the server is idle."""
        self._page, self._name = self.pages.get(name, ""), name
        self.widgets, self._states, self.said, self.html, self.faults = {}, {}, [], [], []
        return self._run()

    def type(self, kind: str, label: str, value: float | str) -> float:
        """Type into a number or text input."""
        widget = self.widgets[kind, label]
        state = WidgetState(id=widget.id)
        if kind == "number_input":
            state.double_value = float(value)
        else:
            state.string_value = str(value)
        self._states[widget.id] = state
        return self._run(fragment=getattr(widget, "fragment", ""))

    def choose(self, label: str, start: str) -> float:
        """Choose the option of a select box that begins with a text."""
        widget = self.widgets["selectbox", label]
        option = next(option for option in widget.options if option.startswith(start))
        self._states[widget.id] = WidgetState(id=widget.id, string_value=option)
        return self._run()

    def press(self, label: str) -> float:
        """Press a button."""
        widget = self.widgets["button", label]
        return self._run(WidgetState(id=widget.id, trigger_value=True))

    def close(self) -> None:
        """End the session."""
        self._open.close()

    def _run(self, trigger: WidgetState | None = None, *, fragment: str = "") -> float:
        message = BackMsg()
        run = message.rerun_script
        run.query_string, run.page_script_hash, run.page_name = self._query, self._page, self._name
        run.fragment_id = fragment
        run.widget_states.widgets.extend([*self._states.values(), *([trigger] if trigger is not None else [])])
        begun = time.perf_counter()
        self._socket.send(message.SerializeToString())
        while not self._finished():
            pass
        return time.perf_counter() - begun

    def _finished(self) -> bool:
        """Read one message; say whether the script has ended and no other run of it follows."""
        message = ForwardMsg()
        message.ParseFromString(self._socket.recv(timeout=TIMEOUT))
        kind = message.WhichOneof("type")
        if kind == "navigation":
            self.pages = {page.url_pathname: page.page_script_hash for page in message.navigation.app_pages}
        elif kind == "page_info_changed":
            self._query = message.page_info_changed.query_string
        elif kind == "delta" and message.delta.WhichOneof("type") == "new_element":
            element = message.delta.new_element
            name = element.WhichOneof("type")
            widget = getattr(element, name)
            if hasattr(widget, "id") and hasattr(widget, "label"):
                self.widgets[name, widget.label] = widget
            if name == "markdown":
                self.said.append(widget.body)
            if name == "html":
                self.html.append(widget.body)
            if name == "exception" or (name == "alert" and widget.format == widget.ERROR):
                self.faults.append(widget.message if name == "exception" else widget.body)
        return kind == "script_finished" and message.script_finished in (
            ForwardMsg.FINISHED_SUCCESSFULLY,
            ForwardMsg.FINISHED_WITH_COMPILE_ERROR,
        )
