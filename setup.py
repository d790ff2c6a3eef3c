"""All of the packaging is in pyproject.toml, except for two files that setuptools has no setting for.

``designgym-gymnasium.pth`` goes beside the package. Python runs its one line at start; it makes ``gymnasium.make("designgym/...")`` work
without ``import designgym``, see `designgym/gymnasium_plugin.py`. That module goes beside it too, under another name: the package itself
must not be loaded at start, or a checkout in the current folder could no longer take its place.
"""

import base64
import hashlib
import zipfile
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py
from setuptools.command.editable_wheel import editable_wheel

MODULE = "_designgym_gymnasium"
# Python runs lines that begin with "import". A broken installation of ours must not disturb other programs' start: without the
# "try", Python would print a traceback each time.
LINE = f'import sys; exec("try:\\n import {MODULE}; {MODULE}.install()\\nexcept Exception: pass")\n'
FILES = {
    "designgym-gymnasium.pth": LINE,
    f"{MODULE}.py": (Path(__file__).parent / "designgym" / "gymnasium_plugin.py").read_text(encoding="utf-8"),
}


class BuildWithStartupLine(build_py):
    """Adds the files to wheels."""

    def run(self) -> None:
        """Build, then write the files at the top of what will be site-packages."""
        super().run()
        if not self.editable_mode:
            for name, text in FILES.items():
                Path(self.build_lib, name).write_text(text, encoding="utf-8")

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        """Return all files built, these included."""
        return [*super().get_outputs(include_bytecode), *(str(Path(self.build_lib, name)) for name in FILES)]


class EditableWithStartupLine(editable_wheel):
    """Adds the files to editable installs."""

    def run(self) -> None:
        """Build the wheel, then append the files, and their lines in the wheel's record."""
        super().run()
        [wheel] = Path(self.dist_dir).glob("designgym-*.whl")
        with zipfile.ZipFile(wheel) as archive:
            contents = {info: archive.read(info) for info in archive.infolist()}
        with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, text in FILES.items():
                archive.writestr(name, text)
            for info, content in contents.items():
                is_record = info.filename.endswith(".dist-info/RECORD")
                archive.writestr(info, content + b"".join(map(record_line, FILES)) if is_record else content)


def record_line(name: str) -> bytes:
    """Return a file's line in a wheel's RECORD."""
    content = FILES[name].encode()
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
    return f"{name},sha256={digest},{len(content)}\n".encode()


setup(cmdclass={"build_py": BuildWithStartupLine, "editable_wheel": EditableWithStartupLine})
