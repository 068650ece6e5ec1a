"""Events: the reference engine, in which requests are served event by event in SimPy.

moments: Moment
job: Job, JobLog
passes: Passes, begin_turn
grid_pipeline: GridPipeline
boundary_pipeline: BoundaryPipeline
prompt_server: PromptServer
engine: serve_by_events
"""
