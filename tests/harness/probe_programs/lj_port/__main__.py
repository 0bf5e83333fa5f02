import sys

from lj_port.model import run

for step, energy in enumerate(run(int(sys.argv[1])), start=1):
    print(step, f"{energy:.10f}")
