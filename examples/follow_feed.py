"""Follows what happens in a box, live, until a batch has finished.

    python examples/follow_feed.py

The feed is a log: what is asked for with ``after`` comes once and in order, so a follower that was
away misses nothing.
"""

import asyncio

from evalbox import AsyncBox

BATCH = "followed"


async def main() -> None:
    async with AsyncBox() as box:
        before = await box.service.last_seq()
        await box.submit_many(
            [f"print({number})" for number in range(3)], language="py", batch=BATCH
        )
        async for event in box.feed(after=before, batch=BATCH):
            about = event.evaluation_id[-8:] if event.evaluation_id else event.batch
            print(event.seq, event.kind, about)
            if event.kind == "batch.finished":
                break
        print((await box.batch(BATCH)).outcomes)


asyncio.run(main())
