"""Service: the requests of a traffic file on a fleet, from the file to its report.

fleet_of: prepare_fleet, prepare_replica, replica_times, fleet_of, PreparedFleet
served_model: served_timetable, FrameOptions
traffic_run: run_traffic, traffic_document, prompt_rate, TrafficRun
traffic_report: traffic_report
traffic_figure: traffic_figure
traffic_files: write_traffic
"""
