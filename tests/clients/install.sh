#!/usr/bin/env bash
# Installs the third-party clients below .venv-clients at the root of the repository, or in $CLIENTS, once.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
clients=${CLIENTS:-$here/../../.venv-clients}
openai=$(sed -n 's/^openai==//p' "$here/requirements-openai.txt")
stamp=$clients/.installed
wanted=$(cat "$here"/{requirements.txt,requirements-openai.txt,requirements-agents.txt,package.json,install.sh} | cksum)

if [[ -f $stamp && $(<"$stamp") == "$wanted" ]]; then
    exit 0
fi
rm -rf "$clients"
mkdir -p "$clients/node"
"${PYTHON:-python3}" -m venv "$clients/tools"
# pip takes minutes to choose among the many versions of these; uv takes seconds.
"$clients/tools/bin/python" -m pip install --quiet uv
for name in clients openai agents; do
    "$clients/tools/bin/uv" venv --quiet --python "${PYTHON:-python3}" "$clients/$name"
done
uv_install=("$clients/tools/bin/uv" pip install --quiet --python)
"${uv_install[@]}" "$clients/clients/bin/python" -r "$here/requirements.txt"
"${uv_install[@]}" "$clients/openai/bin/python" -r "$here/requirements-openai.txt"
"${uv_install[@]}" "$clients/agents/bin/python" -r "$here/requirements-agents.txt"
# Its own tests are in the source distribution only.
"$clients/tools/bin/python" -m pip download --quiet --no-deps --no-binary openai -d "$clients" "openai==$openai"
mkdir "$clients/openai-python"
tar xzf "$clients/openai-$openai.tar.gz" --strip-components 1 -C "$clients/openai-python"
cp "$here/package.json" "$clients/node/"
(cd "$clients/node" && npm install --silent --no-audit --no-fund)
echo "$wanted" >"$stamp"
