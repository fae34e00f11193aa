"""Packaging of ceo, ceod and the Kerberos bindings."""

from pathlib import Path

from setuptools import find_packages, setup

setup(
    name="ceo",
    version="0.1.0",
    description="CSC Electronic Office: the accounts and memberships of a university computer club",
    python_requires=">=3.11",
    packages=find_packages(include=["ceo*", "ceod*", "ceo_common*"]),
    package_data={"ceod": ["py.typed", "data/*"], "ceo": ["py.typed"], "ceo_common": ["py.typed"], "ceo_common.krb5": ["*.pyi"]},
    install_requires=[line for line in Path("requirements.txt").read_text().split() if "==" in line],
    setup_requires=["cffi"],
    cffi_modules=["ceo_common/krb5/krb5_build.py:ffibuilder"],
    entry_points={"console_scripts": ["ceo = ceo.__main__:main"]},
)
