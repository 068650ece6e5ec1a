"""Formats of the OpenAI and Groq wire: bodies, answers, frames, headers, errors.

chat_request, completion_request: bodies of requests, checked
body_faults: what is wrong with a body, in the words of the wire
errors: refusals with status, type and code
token_count: the rule by which tokens are counted
prompt_blocks: identities of the beginnings that prompts share
reply_text: seeded words of the length asked for
usage: counted tokens and simulated times of an answer
answers, frames: whole answers, and the frames of a stream
rate_limit_headers: limits and durations in headers
model_list: the models that are served
"""
