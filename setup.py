"""What pyproject.toml cannot say: the folders beside the package that a wheel carries inside it.

In a checkout models, rules and the example of the settings lie where people look for them, at the top. In a wheel they
lie in node/shipped, the place where node/config/sections.py looks for them last.
"""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

_SHIPPED = (
    "triton_models",
    "dicom_rules",
    "constraints.txt",
    "deploy/node.example.toml",
    "deploy/install.sh",
    "deploy/systemd",
    "docs/howto-install.md",
    "docs/howto-backup.md",
    "docs/howto-upgrade.md",
)
_NOT = shutil.ignore_patterns("__pycache__", "*.plan", "plan.json", "timing.cache")


class BuildWithShipped(build_py):
    """Copies the package, then what ships with it, under the paths of the checkout."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return
        into = Path(self.build_lib) / "node" / "shipped"
        shutil.rmtree(into, ignore_errors=True)  # what an earlier build left
        for name in _SHIPPED:
            target = into / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if Path(name).is_dir():
                shutil.copytree(name, target, ignore=_NOT)
            else:
                shutil.copyfile(name, target)


setup(cmdclass={"build_py": BuildWithShipped})
