"""JupyterLab as `make notebook` starts it: for this machine alone, and it asks nobody for news."""

from pathlib import Path

HERE = Path(__file__).resolve().parent

c = get_config()  # noqa: F821 - Jupyter gives it

# On loopback, with a token that is made anew at each start (Jupyter's own default).
c.ServerApp.ip = "127.0.0.1"
c.ServerApp.allow_remote_access = False
c.ServerApp.root_dir = str(HERE.parent.parent)
c.ServerApp.open_browser = False
# In a container everything runs as root; elsewhere nothing does.
c.ServerApp.allow_root = True
c.LabApp.default_url = "/lab/tree/notebooks/exploration.ipynb"
# Kernels are spoken to by sockets in the file system, which only their owner can open.
c.KernelManager.transport = "ipc"
# JupyterLab as it was installed: no extension of another package, nothing to build, no news to ask for.
c.LabApp.core_mode = True
c.LabApp.app_settings_dir = str(HERE)
c.LabApp.check_for_updates_class = "jupyterlab.NeverCheckForUpdate"
c.LabApp.news_url = None
c.LabApp.extension_manager = "readonly"
