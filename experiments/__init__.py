"""Questions asked of the machine, and the command line that asks them.

Nothing is imported here, so that ``groqrack --help`` need not wait for NumPy.
"""
