"""Faults of a run and the replay policy of the host that reacts to them.

delivery: Attempt, Delivery, Failure, SequenceState
fault_script: Outages, RateChange, check_faults, outages
link_errors: Corrected, LinkErrors
losses: Losses
replay_policy: Dispatcher
spares: Moved, Restoration, Spares
"""
