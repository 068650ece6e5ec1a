"""Commands about requests: a traffic file, the endpoint, the frame of a plan.

traffic: traffic_command
serve: serve_command
frame_plan: show_frame_plan
"""
