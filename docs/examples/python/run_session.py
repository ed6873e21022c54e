"""Drive Benchline from another service: start a session, follow it, print its verdict.

    python run_session.py unix:/path/to/control.sock "Blink the on-board LED at 2 Hz"

Needs `pip install benchline` (the contract alone; no server, agent or console).
"""

import sys
import uuid

import grpc

from benchline.errors import error_from
from benchline.v1 import session_pb2, session_pb2_grpc, verdict_pb2


def main(target: str, prompt: str) -> int:
    """Run one session up to its simulation; 0 when it passed."""
    with grpc.insecure_channel(target) as channel:
        sessions = session_pb2_grpc.SessionServiceStub(channel)
        try:
            created = sessions.CreateSession(
                session_pb2.CreateSessionRequest(
                    request_id=str(uuid.uuid4()),
                    prompt=prompt,
                    until=verdict_pb2.STAGE_SIMULATE,
                ),
                timeout=10,
            )
            name = created.session.name
            # A dropped stream is resumed with from_sequence = the last sequence seen + 1.
            watch = sessions.WatchSession(
                session_pb2.WatchSessionRequest(name=name, from_sequence=1)
            )
            for message in watch:
                for event in message.events:
                    print(event.sequence, event.WhichOneof("fact"))
            session = sessions.GetSession(session_pb2.GetSessionRequest(name=name)).session
        except grpc.RpcError as call_error:
            error = error_from(call_error)
            print(f"{error.reason}: {error}", file=sys.stderr)
            return 1
    outcome = verdict_pb2.Outcome.Name(session.outcome)
    print(f"{outcome}: {session.message}")
    return 0 if session.outcome == verdict_pb2.OUTCOME_PASSED else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
