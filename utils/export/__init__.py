"""Export a tutor's weights to files that llama.cpp and Ollama run, each measured against the original weights.

Start with source.py (what is exported) and measured.py (the steps). gguf.py converts and quantises, llama_cpp.py runs
llama.cpp's server. parity.py compares token ids and probabilities, scores.py lets the judge score each file.
modelfile.py writes for Ollama. card.py and findings.py write the model card. push.py publishes to the Hub and Ollama.
"""
