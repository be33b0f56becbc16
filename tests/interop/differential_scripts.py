"""The conversations of differential_test.py. See differential.py for what a step is.

Keep every script below five seconds: the kernel needs the real time, and all run side by side.
Times keep away from 40 ms, 200 ms and their doubles after an event, so that a late timer does not
change the order of lines.
"""
from differential import Script, app, fill, peer, wait

SYN = dict(seq=0, mss=1460, permitted=True, ws=7)


def passive(*steps, syn=None, **options):
    """The peer opens, then the steps."""
    return Script(app(0, "listen"), peer(5, "S", **(SYN if syn is None else syn)), peer(20, "A"),
                  *steps, **options)


def active(*steps, syn_ack=None, **options):
    """The host opens, then the steps."""
    return Script(app(0, "connect"), peer(20, "SA", **(SYN if syn_ack is None else syn_ack)),
                  *steps, **options)


SCRIPTS = {
    # --- opening
    "syn: all options": passive(wait(20)),
    "syn: no options at all": passive(app(20, "write", 3000), peer(60, "A", ack=1073),
                                      syn=dict(seq=0), ts=False),
    "syn: mss of 1": passive(app(20, "write", 100), wait(20), syn=dict(seq=0, mss=1), ts=False),
    "syn: mss of 0": passive(app(20, "write", 100), wait(20), syn=dict(seq=0, mss=0), ts=False),
    "syn: mss of 65535": passive(app(20, "write", 3000), wait(20), syn=dict(seq=0, mss=65535),
                                 ts=False),
    "syn: window scale of 15": passive(app(20, "write", 3000), wait(20),
                                       syn=dict(seq=0, mss=1460, ws=15), ts=False),
    "syn: options twice": passive(
        app(20, "write", 2000), wait(20),
        syn=dict(seq=0, raw=bytes.fromhex("02040218 020405b4 0402 0402 030301 030307")), ts=False),
    "syn: option with a wrong length": passive(
        app(20, "write", 1000), wait(20),
        syn=dict(seq=0, raw=bytes.fromhex("0203 05b4 0100 0000")), ts=False),
    "syn: option that runs over the end": passive(
        app(20, "write", 1000), wait(20),
        syn=dict(seq=0, raw=bytes.fromhex("020405b4 010101 fe")), ts=False),
    "syn: unknown options": passive(
        wait(20), syn=dict(seq=0, raw=bytes.fromhex("fd06cafe0001 fe02 020405b4")), ts=False),
    "syn: zero timestamp and an echo": passive(
        app(20, "write", 10), wait(20), syn=dict(seq=0, mss=1460, ts=(-100_005, 77))),
    "syn: retransmitted": Script(app(0, "listen"), peer(5, "S", **SYN), peer(100, "S", **SYN),
                                 peer(20, "A"), wait(20)),
    "syn: another one while half open": Script(
        app(0, "listen"), peer(5, "S", **SYN), peer(100, "S", **{**SYN, "seq": 5000}), wait(20)),
    "syn: the answer is retransmitted": Script(app(0, "listen"), peer(5, "S", **SYN), wait(3500)),
    "syn: with data": Script(app(0, "listen"), peer(5, "S", n=100, **SYN), peer(20, "A", seq=101),
                             peer(20, "A", seq=1, n=100), wait(20)),
    "syn: with fin": Script(app(0, "listen"), peer(5, "SF", **SYN), peer(20, "A"), wait(20)),
    "syn: with rst": Script(app(0, "listen"), peer(5, "SR", **SYN), wait(20)),
    "syn: with ece and cwr": Script(app(0, "listen"), peer(5, "SEC", **SYN), peer(20, "A"),
                                    wait(20)),
    "syn: to a closed port": Script(peer(5, "S", **SYN), peer(20, "S", seq=100, n=10),
                                    peer(20, "A", seq=7, n=10), peer(20, "FA", seq=7),
                                    peer(20, "R", seq=7), wait(20)),
    "listen: ack, fin, rst and nothing": Script(
        app(0, "listen"), peer(5, "A", n=5), peer(20, "F"), peer(20, "R"), peer(20, "", n=5),
        peer(20, "FA"), wait(20)),
    "syn-received: ack of nothing sent": Script(
        app(0, "listen"), peer(5, "S", **SYN), peer(20, "A", ack=2), peer(20, "A", ack=0),
        peer(20, "A"), wait(20)),
    "syn-received: rst": Script(
        app(0, "listen"), peer(5, "S", **SYN), peer(20, "R", seq=5), peer(20, "R", seq=1),
        peer(20, "A"), wait(20)),
    "syn-received: data with the last ack": Script(
        app(0, "listen"), peer(5, "S", **SYN), peer(20, "A", n=100), wait(80)),
    "syn-received: fin with the last ack": Script(
        app(0, "listen"), peer(5, "S", **SYN), peer(20, "FA", n=10), app(20, "close"),
        peer(20, "A", seq=12, ack=2), wait(20)),
    "syn-sent: nobody answers": Script(app(0, "connect"), wait(3500)),
    "syn-sent: refused": Script(app(0, "connect"), peer(20, "RA", seq=0, ts=None), wait(20)),
    "syn-sent: bad rst and ack": Script(
        app(0, "connect"), peer(20, "RA", seq=0, ack=2), peer(20, "R", seq=0),
        peer(20, "A", seq=9, ack=5), peer(20, "SA", ack=2, **SYN), peer(20, "SA", **SYN),
        wait(20)),
    "syn-sent: both open": Script(app(0, "connect"), peer(20, "S", **SYN), peer(20, "SA", **SYN),
                                  peer(20, "A", n=5), wait(60)),
    "syn-sent: syn,ack with data": Script(app(0, "connect"), peer(20, "SA", n=50, **SYN), wait(80)),
    "syn-sent: no options in the answer": active(
        app(20, "write", 2000), wait(20), syn_ack=dict(seq=0, ts=None), ts=False),
    "active: syn,ack again": active(peer(20, "SA", **SYN), wait(20)),

    # --- data that comes in
    "in: in order, one small segment": passive(peer(20, "PA", n=100), wait(100)),
    "in: two full segments": passive(peer(20, "A", n=1448), peer(5, "PA", seq=1449, n=1448),
                                     wait(100)),
    "in: late small segments": passive(
        *[peer(60, "PA", seq=1 + 10 * i, n=10) for i in range(24)], wait(100)),
    "in: out of order": passive(
        peer(20, "A", seq=1001, n=1000), peer(20, "A", seq=3001, n=1000),
        peer(20, "A", seq=2001, n=1000), peer(20, "A", n=1000), wait(100)),
    "in: many holes": passive(
        *[peer(10, "A", seq=1 + 1000 * i, n=500) for i in (1, 3, 5, 7, 9)],
        peer(20, "A", seq=5501, n=500), peer(20, "A", n=1000), wait(100)),
    "in: without sack": passive(
        peer(20, "A", seq=1001, n=1000), peer(20, "A", n=1000), wait(100),
        syn=dict(seq=0, mss=1460, ws=7)),
    "in: duplicate": passive(peer(20, "PA", n=1000), peer(100, "PA", n=1000),
                             peer(20, "PA", seq=501, n=1000), wait(100)),
    "in: duplicate out of order": passive(
        peer(20, "A", seq=2001, n=1000), peer(20, "A", seq=2001, n=1000),
        peer(20, "A", seq=1501, n=1000), wait(100)),
    "in: beyond the window": passive(peer(20, "A", seq=50_000_000, n=100),
                                     peer(20, "A", seq=-500, n=100), peer(20, "A", seq=-100),
                                     wait(60)),
    "in: half before the window": passive(
        peer(20, "PA", n=200), peer(100, "PA", seq=101, n=200), wait(100)),
    "in: no ack bit": passive(peer(20, "P", n=100), peer(20, "", n=100), wait(60)),
    "in: fin before its data": passive(peer(20, "FA", seq=101, n=10), peer(20, "A", n=100),
                                       wait(60)),
    "in: empty segment out of window, again and again": passive(
        *[peer(20, "A", seq=-10) for _ in range(4)], peer(600, "A", seq=-10), wait(20)),
    "in: urgent": passive(peer(20, "PUA", n=10, urg=5), peer(100, "PUA", seq=11, n=10, urg=100),
                          peer(100, "UA", seq=21, n=10, urg=0), wait(60)),

    # --- acknowledgments
    "ack: of what was not sent": passive(
        peer(20, "A", ack=500), peer(20, "PA", ack=500, n=10), peer(20, "PA", n=10), wait(60)),
    "ack: old": passive(
        app(20, "write", 3000), peer(20, "A", ack=3001), peer(20, "A", ack=1),
        peer(20, "PA", ack=1, n=10), wait(60)),
    "ack: far too old": passive(
        app(20, "write", 10), peer(20, "A", ack=11), peer(20, "PA", ack=-100_000_000, n=10),
        peer(20, "PA", ack=-1_000_000, n=10), wait(60)),

    # --- resets
    "rst: at the edge": passive(peer(20, "R", ts=None), wait(20)),
    "rst: with timestamps of the past": passive(peer(20, "R", ts=(-90_000, 0)), wait(20)),
    "rst: in the window": passive(peer(20, "R", seq=2, ts=None), peer(20, "R", seq=1000, ts=None),
                                  peer(20, "PA", n=10), wait(60)),
    "rst: outside of the window": passive(
        peer(20, "R", seq=0, ts=None), peer(20, "R", seq=50_000_000, ts=None),
        peer(20, "PA", n=10), wait(60)),
    "rst: after unread data": passive(
        app(0, "reading", 0), peer(20, "PA", n=100), peer(100, "RA", seq=101, ts=None),
        app(20, "reading", 1), wait(20)),
    "rst: at the edge of what was sacked": passive(
        peer(20, "A", seq=1001, n=100), peer(20, "R", seq=1101, ts=None), peer(20, "A", n=1000),
        wait(60)),
    "syn: in established": passive(
        peer(20, "S", seq=0, mss=1460), peer(20, "S", seq=100, mss=1460),
        peer(600, "S", seq=50_000_000, mss=1460), peer(600, "SA", seq=1, mss=1460),
        peer(20, "PA", n=10), wait(60)),

    # --- timestamps
    "paws: old timestamp": passive(
        peer(20, "PA", n=10), peer(100, "PA", seq=11, n=10, ts=(-5000, 0)),
        peer(600, "A", seq=11, ts=(-5000, 0)), peer(20, "PA", seq=11, n=10), wait(100)),
    "paws: fin and rst": passive(
        peer(20, "PA", n=10), peer(100, "FA", seq=11, ts=(-5000, 0)),
        peer(600, "R", seq=11, ts=(-5000, 0)), peer(20, "PA", seq=11, n=10), wait(60)),
    "ts: missing": passive(peer(20, "PA", n=10, ts=None), peer(100, "PA", seq=11, n=10), wait(100)),
    "ts: not agreed but there": passive(
        peer(20, "PA", n=10, ts=(0, 0)), wait(100), syn=dict(seq=0, mss=1460), ts=False),
    "ts: echo of an early segment": passive(
        peer(20, "A", seq=101, n=100), peer(20, "A", n=100), peer(30, "PA", seq=201, n=10),
        wait(100)),
    "ts: echo with delayed ack": passive(
        peer(20, "PA", n=100), peer(10, "PA", seq=101, n=1448), wait(100)),
    "ts: echo of the future": passive(
        app(20, "write", 10), peer(20, "A", ack=11, ts=(0, 1_000_000)), peer(20, "PA", ack=11, n=5),
        wait(60)),

    # --- data that goes out
    "out: nagle": passive(
        app(20, "write", 10), app(5, "write", 10), app(5, "write", 10), peer(20, "A", ack=11),
        wait(20), settings=(("nagle", 1),)),
    "out: nagle, a full segment and a rest": passive(
        app(20, "write", 2000), app(5, "write", 10), peer(20, "A", ack=1449), wait(20),
        settings=(("nagle", 1),)),
    "out: no nagle": passive(
        app(20, "write", 10), app(5, "write", 10), app(5, "write", 2000), wait(20),
        settings=(("nagle", 0),)),
    "out: initial window": passive(app(20, "write", 30_000), wait(20)),
    "out: slow start": passive(
        app(20, "write", 60_000), peer(20, "A", ack=2897), peer(20, "A", ack=14481), wait(20)),
    "out: nobody acknowledges": passive(app(20, "write", 1000), wait(4000)),
    "out: three duplicate acks": passive(
        app(20, "write", 10_000), *[peer(5, "A") for _ in range(4)], wait(60), ts=False,
        syn=dict(seq=0, mss=1460)),
    "out: sack shows a hole": passive(
        app(20, "write", 14_480), peer(20, "A", ack=1449),
        *[peer(2, "A", ack=1449, blocks=[(2897, 2897 + 1448 * i)]) for i in range(1, 7)],
        peer(20, "A", ack=11585), wait(20)),
    "out: sack shows reordering": passive(
        app(20, "write", 5792), peer(20, "A", blocks=[(1449, 2897)]),
        peer(2, "A", blocks=[(1449, 4345)]), peer(2, "A", ack=5793), wait(20)),
    "out: sack and a lost retransmission": passive(
        app(20, "write", 14_480),
        *[peer(2, "A", blocks=[(1449, 1449 + 1448 * i)]) for i in range(1, 5)], wait(1000)),
    "out: reneging": passive(
        app(20, "write", 5792), peer(20, "A", blocks=[(1449, 5793)]), peer(60, "A"), wait(900)),
    "out: lost tail": passive(
        app(20, "write", 6000), peer(20, "A", ack=4345), wait(1000)),
    "out: rto without any ack of ten segments": passive(
        app(20, "write", 14_480), wait(800), peer(0, "A", ack=1449), wait(60)),
    "out: answer carries the ack": passive(
        peer(20, "PA", n=10), app(10, "write", 10), peer(20, "A", seq=11, ack=11), wait(100)),

    # --- windows
    "window: zero, then probes": passive(
        app(20, "write", 1000), peer(20, "A", ack=1001, win=0), app(20, "write", 1000),
        wait(2800), peer(0, "A", ack=1001), wait(20)),
    "window: zero in the handshake": Script(
        app(0, "listen"), peer(5, "S", **{**SYN, "win": 0}), peer(20, "A", win=0),
        app(20, "write", 100), wait(1200), peer(0, "A"), wait(20)),
    "window: probe at a zero window": passive(
        app(0, "reading", 0), fill(20), peer(500, "A", seq="filled", n=1),
        peer(500, "A", seq="filled"), app(100, "reading", 1), wait(60),
        settings=(("receive_buffer", 16_384),)),
    "window: shrinks": passive(
        app(20, "write", 8000), peer(20, "A", ack=2897, win=10), app(20, "write", 3000),
        wait(150), peer(0, "A", ack=8001), wait(20)),
    "window: a small one": Script(
        app(0, "listen"), peer(5, "S", **{**SYN, "win": 512, "ws": 0}), peer(20, "A", win=512),
        app(20, "write", 5000), wait(1000), peer(0, "A", ack=513, win=512), wait(20)),
    "window: shrinks without anything else": passive(
        peer(20, "A", win=5), app(20, "write", 5000), wait(20)),
    "window: update by an old segment": passive(
        peer(20, "A", n=10, win=0), peer(60, "A", seq=1, win=500), app(20, "write", 100),
        wait(60)),

    # --- closing
    "close: the peer first": passive(
        peer(20, "FA"), app(100, "close"), peer(20, "A", seq=2, ack=2), peer(20, "A", seq=2, ack=2),
        wait(20)),
    "close: the host first": passive(
        app(20, "shutdown"), peer(20, "A", ack=2), peer(20, "PA", ack=2, n=10),
        peer(100, "FA", seq=11, ack=2), peer(100, "FA", seq=11, ack=2), wait(20)),
    "close: both at once": passive(
        app(20, "close"), peer(5, "FA", ack=1), peer(20, "A", seq=2, ack=2),
        peer(20, "FA", ack=2), wait(20)),
    "close: fin,ack acknowledges the fin": passive(
        app(20, "close"), peer(20, "FA", ack=2), peer(100, "FA", ack=2), wait(20)),
    "close: the fin is retransmitted": passive(app(20, "close"), wait(2000)),
    "close: last ack is lost": passive(
        peer(20, "FA"), app(60, "close"), wait(1000), peer(0, "A", seq=2, ack=2),
        peer(20, "FA", ack=2), wait(20)),
    "close: data after close": passive(
        app(20, "close"), peer(20, "A", ack=2), peer(20, "PA", ack=2, n=10),
        peer(20, "PA", seq=11, ack=2, n=10), wait(20)),
    "close: with unread data": passive(
        app(0, "reading", 0), peer(20, "PA", n=100), app(100, "close"), wait(20)),
    "close: data after fin": passive(
        peer(20, "FA", n=10), peer(100, "PA", seq=12, n=10), peer(20, "PA", seq=1, n=30),
        wait(60)),
    "close: what was written goes first": passive(
        app(20, "write", 3000), app(0, "close"), peer(20, "A", ack=3002), wait(20)),
    "close: abort": passive(app(20, "write", 100), app(20, "abort"), wait(20)),
    "close: in syn-received by the application of the host": Script(
        app(0, "connect"), peer(20, "S", **SYN), app(20, "close"), wait(20)),
    "fin-wait-2: rst": passive(app(20, "shutdown"), peer(20, "A", ack=2),
                               peer(20, "R", ts=None), wait(20)),
    "close-wait: data goes on": passive(
        peer(20, "FA"), app(60, "write", 100), peer(20, "A", seq=2, ack=101), app(20, "shutdown"),
        peer(20, "A", seq=2, ack=102), wait(20)),

    # --- time-wait
    "time-wait: syn, newer timestamp": passive(
        app(20, "shutdown"), peer(20, "FA", ack=2), peer(100, "S", **{**SYN, "seq": 10_000}),
        wait(20)),
    "time-wait: syn, older timestamp and lower seq": passive(
        app(20, "shutdown"), peer(20, "FA", ack=2),
        peer(100, "S", seq=-5000, mss=1460, ts=(-50_000, 0)), wait(20)),
    "time-wait: syn, older timestamp and higher seq": passive(
        app(20, "shutdown"), peer(20, "FA", ack=2),
        peer(100, "S", seq=5000, mss=1460, ts=(-50_000, 0)), wait(20)),
    "time-wait: syn without timestamps, higher seq": passive(
        app(20, "shutdown"), peer(20, "FA", ack=2), peer(100, "S", seq=5000, mss=1460),
        wait(20), syn=dict(seq=0, mss=1460), ts=False),
    "time-wait: syn without timestamps, lower seq": passive(
        app(20, "shutdown"), peer(20, "FA", ack=2), peer(100, "S", seq=-5000, mss=1460),
        wait(20), syn=dict(seq=0, mss=1460), ts=False),
    "time-wait: rst, then the fin": passive(
        app(20, "shutdown"), peer(20, "FA", ack=2), peer(100, "R", seq=2, ts=None),
        peer(20, "FA", ack=2), wait(20)),
    "time-wait: data and old ack": passive(
        app(20, "shutdown"), peer(20, "FA", ack=2), peer(100, "PA", seq=2, ack=2, n=10),
        peer(600, "A", seq=-10, ack=2), peer(20, "A", seq=2, ack=2), wait(20)),

    # --- keepalive
    "keepalive: probes and answers": passive(
        wait(2500), peer(0, "A"), wait(1500), settings=(("keepalive_ms", 1000),)),
    "keepalive: the peer asks": passive(
        peer(20, "PA", n=10), peer(100, "A", seq=10), peer(600, "A", seq=10, n=1), wait(60)),
}
