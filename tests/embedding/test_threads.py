"""One core for a block of work, and what was set before for everyone else."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import torch

from gandt.embedding.threads import one_thread


def test_within_a_block_an_operation_has_one_thread_and_afterwards_the_old_number() -> None:
    before = torch.get_num_threads()
    with one_thread():
        assert torch.get_num_threads() == 1
        with one_thread():
            assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before


def test_threads_started_after_blocks_in_other_threads_have_the_old_number() -> None:
    def work(_: int) -> int:
        with one_thread():
            values = torch.ones(200, 200)
            return int((values @ values).sum().item() > 0) and torch.get_num_threads()

    before = torch.get_num_threads()
    with ThreadPoolExecutor(4) as executor:
        numbers = list(executor.map(work, range(40)))
    # A thread that first asks torch while another one puts the number back may see the old one.
    assert numbers.count(1) >= 30 and set(numbers) <= {1, before}
    with ThreadPoolExecutor(1) as executor:
        assert executor.submit(torch.get_num_threads).result() == before
    assert torch.get_num_threads() == before
