import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from evalbox.store.output_reader import read_output
from evalbox.store.outputs import OutputWriter

chunks = st.lists(
    st.tuples(st.sampled_from([1, 2]), st.binary(max_size=12), st.floats(0, 0.2)), max_size=30
)


@settings(deadline=None, max_examples=60)
@given(chunks, st.integers(0, 30), st.integers(0, 400), st.integers(0, 400))
def test_what_is_written_is_read(
    written: list[tuple[int, bytes, float]], reopen_at: int, offset: int, limit: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        directory, at = Path(folder), 1000.0
        writer = OutputWriter(directory)
        for number, (stream, data, pause) in enumerate(written):
            if number == reopen_at:
                writer.close(sync=False)
                writer = OutputWriter(directory)
            at += pause
            writer.append(stream, data, at)
        writer.close(sync=False)
        pieces = read_output(directory, offset, limit)
        everything = read_output(directory, 0, 1 << 20)
    whole = b"".join(data for _, data, _ in written)
    assert b"".join(piece.data for piece in pieces) == whole[offset : offset + limit]
    for stream in (1, 2):
        kept = b"".join(piece.data for piece in everything if piece.stream == stream)
        assert kept == b"".join(data for number, data, _ in written if number == stream)
        assert writer.per_stream[stream] == len(kept)
    assert [piece.at for piece in everything] == sorted(piece.at for piece in everything)
