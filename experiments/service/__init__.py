"""Service: the requests of a traffic file on a fleet, from the file to its report.

fleet_of: prepare_fleet, prepare_replica, replica_times, fleet_of, PreparedFleet
served_model: served_timetable, FrameOptions
frame_plan: best_frame, most_slots, limit, frame_table, frame_plan_document,
    frame_plan_report, FramePlan, TriedFrame
users_plan: plan_for_users, shares_of, users_document, users_report, Shares,
    TriedShares, UsersPlan
traffic_cases: traffic_content, and the cases that experiments share
traffic_run: run_traffic, traffic_document, prompt_rate, TrafficRun
traffic_report: traffic_report
traffic_figure: traffic_figure
traffic_files: write_traffic
"""
