"""A scripted LLM for coding agents: it reads a file, edits it, and says that it did.

It speaks the three protocols that agents speak (see told.py), streamed and whole, and
uses whichever tools an agent offers. What it does next follows from the conversation
that it is sent, so that it keeps no state of its own and side requests, for a title
say, do no harm. For tests and rehearsals; it listens on loopback alone.
"""

from __future__ import annotations

import json
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any

from loopgraph_git.loop.loopback import serving

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

CACHED, REASONED = 64, 8


@dataclass(frozen=True, kw_only=True)
class Change:
    """What the LLM does to a file, and what it says of it at the end.

    `old` and `new` are whole lines: some tools know nothing else.
    """

    path: str
    old: str
    new: str
    says: str = "Done."


@dataclass(frozen=True)
class Call:
    """One use of a tool: its name and its arguments, or the text of a free form."""

    name: str
    given: Mapping[str, Any] | str


@contextmanager
def scripted_agent_server(change: Change) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Serve an LLM that makes one change in every conversation.

    Yields the base URL with /v1 and the list in which the requests appear, each with
    its path under `"path"`, the headers under `"headers"` and what it was told to have
    cost under `"usage"`, as the protocol has it.
    """
    asked: list[dict[str, Any]] = []
    with serving(_Llm, {"change": change, "asked": asked}) as url:
        yield url, asked


class _Llm(BaseHTTPRequestHandler):
    """Answers in the protocol of the path that it is asked at."""

    change: Change
    asked: list[dict[str, Any]]

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("content-length", 0)))
        request = json.loads(raw)
        path = self.path.partition("?")[0]
        answers = {
            "/v1/chat/completions": _chat,
            "/v1/responses": _responses,
            "/v1/messages": _messages,
        }
        # what an agent was told is in here, whatever it calls it
        self.asked.append({**request, "path": path, "headers": dict(self.headers)})
        with suppress(OSError):
            if path not in answers:
                self._send(404, b"{}", "application/json")
                return
            move = next_move(self.change, request)
            whole, events, usage = answers[path](move, request, len(raw) // 4)
            self.asked[-1]["usage"] = usage
            if request.get("stream"):
                self._send(200, events, "text/event-stream")
            else:
                self._send(200, json.dumps(whole).encode(), "application/json")

    def do_GET(self) -> None:
        with suppress(OSError):
            self._send(200, b'{"object": "list", "data": []}', "application/json")

    def _send(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Stay quiet: the caller sees the requests themselves."""


def next_move(change: Change, request: Mapping[str, Any]) -> Call | str:
    """Return the next use of a tool, or the last words, by what was done already."""
    calls = _calls(change, _tools(request))
    done = _uses(request)
    return calls[done] if done < len(calls) else change.says


def _tools(request: Mapping[str, Any]) -> set[str]:
    offered = list(request.get("tools") or [])
    given = request.get("input")
    for item in given if isinstance(given, list) else []:
        # codex: tools that are told of in the conversation, some inside others
        offered += item.get("tools") or []
    for tool in tuple(offered):
        offered += tool.get("tools") or []
    plain = [tool.get("function", tool) for tool in offered]
    return {str(tool.get("name", tool.get("type"))) for tool in plain}


def _uses(request: Mapping[str, Any]) -> int:
    """Return how many tools were used in a conversation so far."""
    if isinstance(request.get("input"), list):
        kinds = ("function_call", "custom_tool_call")
        return sum(item.get("type") in kinds for item in request["input"])
    uses = 0
    for message in request.get("messages", []):
        uses += len(message.get("tool_calls") or [])
        content = message.get("content")
        parts = content if isinstance(content, list) else []
        uses += sum(part.get("type") == "tool_use" for part in parts)
    return uses


def _calls(change: Change, tools: set[str]) -> list[Call]:
    """Return how the change is made with the tools that there are."""
    path, old, new = change.path, change.old, change.new
    # both refuse to edit what was not read before
    if {"Read", "Edit"} <= tools:
        edit = {"file_path": path, "old_string": old, "new_string": new}
        return [Call("Read", {"file_path": path}), Call("Edit", edit)]
    if {"read", "edit"} <= tools:
        edit = {"filePath": path, "oldString": old, "newString": new}
        return [Call("read", {"filePath": path}), Call("edit", edit)]
    if {"read", "apply_patch"} <= tools:
        patch = f"*** Update File: {path}\n@@\n-{old}\n+{new}"
        patch = f"*** Begin Patch\n{patch}\n*** End Patch"
        return [
            Call("read", {"filePath": path}),
            Call("apply_patch", {"patchText": patch}),
        ]
    script = (
        f"from pathlib import Path; p = Path({path!r}); "
        f"p.write_text(p.read_text().replace({old!r}, {new!r}))"
    )
    line = f"python3 -c {json.dumps(script)}"
    shells: dict[str, dict[str, Any] | str] = {
        "exec_command": {"cmd": line},
        "shell_command": {"command": line},
        "shell": {"command": ["bash", "-c", line]},
        "bash": {"command": line, "description": "edit the file"},
        # a program that uses tools, as codex has its newer models write it
        "exec": f"text(await tools.exec_command({json.dumps({'cmd': line})}))",
    }
    return [Call(name, given) for name, given in shells.items() if name in tools][:1]


_Answer = tuple[dict[str, Any], bytes, dict[str, Any]]


def _named(events: Sequence[Mapping[str, Any]]) -> bytes:
    """Return events of a stream, each with its type as its name."""
    return b"".join(
        f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()
        for event in events
    )


def _written(move: Call | str) -> str:
    given = move if isinstance(move, str) else move.given
    return given if isinstance(given, str) else json.dumps(given)


def _messages(move: Call | str, request: Mapping[str, Any], size: int) -> _Answer:
    taken = len(_written(move)) // 4 + 1
    usage = {
        "input_tokens": size, "output_tokens": taken,
        "cache_read_input_tokens": CACHED, "cache_creation_input_tokens": CACHED,
    }  # fmt: skip
    if isinstance(move, str):
        block: dict[str, Any] = {"type": "text", "text": move}
        empty: dict[str, Any] = {"type": "text", "text": ""}
        delta = {"type": "text_delta", "text": move}
    else:
        block = {"type": "tool_use", "id": f"toolu_{_uses(request)}", "name": move.name}
        empty, block = {**block, "input": {}}, {**block, "input": move.given}
        delta = {"type": "input_json_delta", "partial_json": _written(move)}
    ends = {"stop_reason": "end_turn" if isinstance(move, str) else "tool_use",
            "stop_sequence": None}  # fmt: skip
    message = {
        "id": "msg_1", "type": "message", "role": "assistant",
        "model": request.get("model", ""), "content": [block], "usage": usage, **ends,
    }  # fmt: skip
    begun = {**message, "content": [], "stop_reason": None,
             "usage": {**usage, "output_tokens": 1}}  # fmt: skip
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": begun},
        {"type": "content_block_start", "index": 0, "content_block": empty},
        {"type": "content_block_delta", "index": 0, "delta": delta},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": ends, "usage": {"output_tokens": taken}},
        {"type": "message_stop"},
    ]
    return message, _named(events), usage


def _responses(move: Call | str, request: Mapping[str, Any], size: int) -> _Answer:
    taken = len(_written(move)) // 4 + REASONED
    usage = {
        "input_tokens": size,
        "input_tokens_details": {"cached_tokens": CACHED},
        "output_tokens": taken,
        "output_tokens_details": {"reasoning_tokens": REASONED},
        "total_tokens": size + taken,
    }
    if isinstance(move, str):
        words = {"type": "output_text", "text": move, "annotations": []}
        item: dict[str, Any] = {"type": "message", "role": "assistant", "id": "msg_1",
                                "status": "completed", "content": [words]}  # fmt: skip
    else:
        free = isinstance(move.given, str)
        item = {"type": "custom_tool_call" if free else "function_call",
                "id": f"fc_{_uses(request)}", "call_id": f"call_{_uses(request)}",
                "name": move.name, "input" if free else "arguments": _written(move),
                "status": "completed"}  # fmt: skip
    response = {"id": "resp_1", "object": "response", "created_at": 0,
                "model": request.get("model", ""), "status": "completed",
                "output": [item], "usage": usage}  # fmt: skip
    begun = {**response, "status": "in_progress", "output": [], "usage": None}
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": begun},
        {"type": "response.output_item.added", "output_index": 0, "item": item},
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {"type": "response.completed", "response": response},
    ]
    return response, _named(events), usage


def _chat(move: Call | str, request: Mapping[str, Any], size: int) -> _Answer:
    taken = len(_written(move)) // 4 + REASONED
    usage = {
        "prompt_tokens": size,
        "prompt_tokens_details": {"cached_tokens": CACHED},
        "completion_tokens": taken,
        "completion_tokens_details": {"reasoning_tokens": REASONED},
        "total_tokens": size + taken,
    }
    message: dict[str, Any] = {"role": "assistant", "content": move}
    if not isinstance(move, str):
        call = {"name": move.name, "arguments": _written(move)}
        used = {
            "index": 0,
            "id": f"call_{_uses(request)}",
            "type": "function",
            "function": call,
        }
        message = {"role": "assistant", "content": None, "tool_calls": [used]}
    ends = "stop" if isinstance(move, str) else "tool_calls"
    same = {"id": "chat_1", "created": 0, "model": request.get("model", "")}
    choice = {"index": 0, "message": message, "finish_reason": ends}
    whole = {**same, "object": "chat.completion", "choices": [choice], "usage": usage}
    piece = {**same, "object": "chat.completion.chunk"}
    said = {"index": 0, "delta": message, "finish_reason": None}
    over = {"index": 0, "delta": {}, "finish_reason": ends}
    chunks = [{**piece, "choices": [said]}, {**piece, "choices": [over]}]
    if (request.get("stream_options") or {}).get("include_usage"):
        chunks.append({**piece, "choices": [], "usage": usage})
    lines = [f"data: {json.dumps(chunk)}\n\n" for chunk in chunks]
    return whole, "".join([*lines, "data: [DONE]\n\n"]).encode(), usage
