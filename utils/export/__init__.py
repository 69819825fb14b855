"""Export a tutor's weights to files that llama.cpp and Ollama run, each measured against the original weights.

Read gguf.py (convert, quantise), llama_cpp.py (its server), parity.py (the same tokens, the same probabilities),
scores.py (the judge's score of each file), modelfile.py (Ollama), card.py (the model card), push.py (Hub and Ollama).
"""
