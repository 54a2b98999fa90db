"""The Ethereum libraries leave the interpreter as it was."""

import subprocess
import sys


def test_opening_and_making_keys_leaves_the_recursion_limit_alone():
    code = (
        "import sys\n"
        "from gateway.evidence import signer\n"
        "signer.make_keystore(bytes(31) + b'\\x01', b'words', 1000)\n"
        "assert 'py_ecc' in sys.modules, 'the test has lost its subject'\n"
        "assert sys.getrecursionlimit() == 1000, sys.getrecursionlimit()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
