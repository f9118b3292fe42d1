"""Finding what texts say: files are cut into passages, which are embedded once and then searched.

passages.py    a document or a table -> Passages
collection.py  files and folders of a command line -> what is read, and what is left out
parts.py       passages and their vectors in the cache, by the content of their file
words.py       texts -> words, and the BM25 index of them
index.py       all of that -> an index; a question -> the best passages
reranking.py   a run of pairs puts them in another order
answering.py   a run of questions reads them -> answers
"""
