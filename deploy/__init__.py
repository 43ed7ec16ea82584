"""How the system is put on a machine: the local fleet, container images, monitoring."""
