"""The operator graph of each model family.

llama: llama_graph; llama, mistral, mixtral, phi3, qwen2 and qwen3
gemma2: gemma2_graph
gpt2: gpt2_graph
bert: bert_graph; bert and roberta
"""
