"""The script that one would write with the official SDK: asyncio, a slot for the request only, ids into a file.

    python sdk.py URL COUNT AT_ONCE FILE

It prints the seconds from the first create call to the last id that is written.
"""

import asyncio
import os
import sys
import time

import dataframer

SPEC = "182bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e"


async def buy(url: str, count: int, at_once: int, path: str) -> float:
    """All runs, so many at once."""
    slots = asyncio.Semaphore(at_once)
    with open(path, "w", encoding="utf-8") as file:
        async with dataframer.AsyncDataframer(api_key=os.environ["DATAFRAMER_API_KEY"], base_url=url) as client:

            async def create(number: int) -> None:
                async with slots:
                    made = await client.dataframer.runs.create(
                        spec_id=SPEC,
                        number_of_samples=number % 1_000 + 1,
                        generation_model="anthropic/claude-haiku-4-5",
                        outline_model="anthropic/claude-haiku-4-5",
                        revision_types=["consistency", "conformance"],
                        seed_shuffling_level="sample",
                    )
                print(number, made.id, file=file, flush=True)

            begin = time.perf_counter()
            await asyncio.gather(*(create(number) for number in range(count)))
            return time.perf_counter() - begin


if __name__ == "__main__":
    print(asyncio.run(buy(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])))
