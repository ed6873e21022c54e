"""Channels to a control plane, with the settings that every client of ours uses."""

from collections.abc import Sequence

import grpc

MAX_MESSAGE_BYTES = 8 * 1024 * 1024
# A dead peer is noticed after 7.5 s of silence plus 10 s without an answer; the second pair keeps
# gRPC's own 60 s ping time-out from winning over ours.
KEEPALIVE: Sequence[tuple[str, int]] = (
    ("grpc.keepalive_time_ms", 7_500),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.ping_timeout_ms", 10_000),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.keepalive_permit_without_calls", 1),
)
CLIENT_OPTIONS: Sequence[tuple[str, int]] = (
    *KEEPALIVE,
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    # A proxy of the environment must never see a unix socket or loopback.
    ("grpc.enable_http_proxy", 0),
)


def open_channel(target: str) -> grpc.aio.Channel:
    """A channel to `unix:PATH`. Lazy: calls fail with UNAVAILABLE while nobody listens."""
    return grpc.aio.insecure_channel(target, options=list(CLIENT_OPTIONS))
