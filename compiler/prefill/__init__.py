"""Prefill: the chunks of a prompt in the stages, several of them in flight.

chunk_steps: ChunkStep, entry_cycles, one_at_a_time_cycles, reads_memory, stage_steps,
    stage_work
link_spans: LinkSpans, LinkUse
stage_transfers: PlacedTransfer, TransferPart, TransferRouter, parts_of
stage_occupancy: StageOccupancy, Touched
stage_state: StageState
shared_links: link_uses, shared_links
chunk_timeline: chunk_timeline
chunk_scheduler: ScheduledChunks, schedule_chunks
"""
