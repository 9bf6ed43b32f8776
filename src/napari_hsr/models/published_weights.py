"""The catalogue of published weights: where the authors of networks offer them.

Nothing is shipped and nothing is fetched: the files lie on drives without a fixed address or
a published hash. Download one by hand from ``page`` and hand it to ``napari-hsr models import``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_hsr.cube import DEFAULT_WAVELENGTHS_NM, Wavelengths
from napari_hsr.errors import ModelError
from napari_hsr.models.card import CUBE, RECONSTRUCTION, SUPER_RESOLUTION


@dataclass(frozen=True)
class Entry:
    """One set of public weights, or a system whose authors publish none.

    Attributes
    ----------
    name : str
        Short, fit for a command line.
    title : str
        One line for lists.
    architecture : str
        Id in the registry of architectures.
    page : str
        The page where the authors publish the weights, or the system.
    link : str
        Where that page leads for the file; empty if no weights are published.
    wavelengths_nm : tuple of float
        Band centres of the output.
    input_encoding : str
        What the weights were trained on, ``cube`` where that is no photograph; empty if no
        weights are published.
    input_rule : str
        What the authors' programs do with a photograph first, in words.
    units : str
        What the values of the training cubes are.
    training_data : str
        In plain words.
    figures : dict
        What the authors report of these weights, by metric as in a model card.
    protocol : str
        How those figures were taken.
    licence : str
        As stated by the authors, or ``"none stated"``.
    note : str
        What else there is to know.
    """

    name: str
    title: str
    architecture: str
    page: str
    link: str = ""
    wavelengths_nm: tuple[float, ...] = DEFAULT_WAVELENGTHS_NM
    input_encoding: str = ""
    input_rule: str = ""
    units: str = ""
    training_data: str = ""
    figures: dict[str, float] | None = None
    protocol: str = ""
    licence: str = "none stated"
    note: str = ""

    @property
    def task(self) -> str:
        """What the network does, as :attr:`napari_hsr.models.card.ModelCard.task` says it."""
        return SUPER_RESOLUTION if self.input_encoding == CUBE else RECONSTRUCTION

    @property
    def output(self) -> str:
        """What the network makes, in words."""
        if self.task == SUPER_RESOLUTION:
            return "the bands of the input at a higher resolution"
        return Wavelengths(np.array(self.wavelengths_nm)).describe()

    @property
    def training_command(self) -> str:
        """The command that trains the network as its authors do."""
        return f"napari-hsr train {self.architecture}-paper"

    @property
    def published(self) -> bool:
        """Whether there are weights to download."""
        return bool(self.link)


_DRIVE = "https://drive.google.com/file/d/"
_MSTPP_PAGE = "https://github.com/caiyuanhao1998/MST-plus-plus"
_MIN_MAX = "(v - minimum) / (maximum - minimum) over the whole image and all channels"
_ARAD = (
    "ARAD_1K, the data of the NTIRE 2022 challenge: scenes of 482×512 pixels; RGB simulated with "
    "the response of a Basler A2a5320-23ucBAS and noise, then JPEG"
)
_ARAD_ENCODING = "camera:basler-a2a5320-23ucbas"
_ARAD_UNITS = "relative radiance"

# architecture, title, file on the drive, and the authors' MRAE, RMSE and PSNR
_TOOLBOX = (
    ("mstpp", "MST++", "18X6RkcQaIuiV5gRbswo7GLv7WJG9M_WM", 0.1645, 0.0248, 34.32),
    ("mst_l", "MST-L", "17dMffhghFf7nZIqR_f8fNY7Kqh_Xm4Vw", 0.1772, 0.0256, 33.90),
    ("mprnet", "MPRNet", "1amYEpxlBnT1pmk7JmKWYT_bi7WAJH-ad", 0.1817, 0.0270, 33.50),
    ("restormer", "Restormer", "1tDwe9X46bfaRrdTnQi4q2ZPnwssA5B2A", 0.1833, 0.0274, 33.40),
    ("mirnet", "MIRNet", "1Vndgr3csKZp624NtYWiSp8FTikDy8O6Q", 0.1890, 0.0274, 33.29),
    ("hinet", "HINet", "1dOczPBwz6ZCcBCuRG7L7aJdfT4nCb1nx", 0.2032, 0.0303, 32.51),
    ("hdnet", "HDNet", "1HYWUplVkCgHznuInVeghYisdJuNqSr4z", 0.2048, 0.0317, 32.13),
    ("awan", "AWAN", "1M16NrkHcGdzh9fu0NAdRXIMfCK3xQyy0", 0.2500, 0.0367, 31.22),
    ("edsr", "EDSR", "1b2DyuxEr8u2_3mnM-dOWjz_YH8XK8ir3", 0.3277, 0.0437, 28.29),
    ("hrnet", "HRNet", "1RZXtCj7q_80xUT59UmdoFPP3g1YDND02", 0.3476, 0.0550, 26.89),
    ("hscnn_plus", "HSCNN+", "1DqeTNNYaIKodCQWrhclVO3bXw1r4OAxJ", 0.3814, 0.0588, 26.36),
)


def _toolbox() -> tuple[Entry, ...]:
    return tuple(
        Entry(
            name=f"{architecture.replace('_', '-')}-ntire2022",
            title=f"{title} of the MST++ toolbox (Cai et al. 2022)",
            architecture=architecture,
            page=_MSTPP_PAGE,
            link=f"{_DRIVE}{file}/view",
            input_encoding=_ARAD_ENCODING,
            input_rule=_MIN_MAX,
            units=_ARAD_UNITS,
            training_data=_ARAD,
            figures={"mrae": mrae, "rmse": rmse, "psnr_db": psnr},
            protocol=(
                "the authors' table: the 50 validation scenes of NTIRE 2022, 128 pixels of border "
                "left out"
            ),
            licence="MIT (the repository's; nothing is said of the weights apart)",
        )
        for architecture, title, file, mrae, rmse, psnr in _TOOLBOX
    )


#: All entries: those with weights first.
ENTRIES: tuple[Entry, ...] = (
    *_toolbox(),
    Entry(
        name="drcr-ntire2022",
        title="DRCR-Net (Li et al. 2022), third in the NTIRE 2022 challenge",
        architecture="drcr",
        page="https://github.com/dusongcheng/DRCR-Net",
        link=f"{_DRIVE}1UJfP6cw9b1EWCGHPnsGEV8AYlr9JTVYC/view",
        input_encoding=_ARAD_ENCODING,
        input_rule="v / maximum over the whole image and all channels",
        units=_ARAD_UNITS,
        training_data=f"{_ARAD}; scenes with a value of 0 left out",
        note="The authors report no figures in their repository.",
    ),
    Entry(
        name="coarsr-dualsr",
        title="CoarSR of DualSR (Li et al. 2022), super-resolution of cubes",
        architecture="coarsr",
        page="https://github.com/qianngli/DualSR",
        link="https://drive.google.com/drive/folders/1XaTaGuYXi4hEHAEsLaoXmKALqa9j3cp3",
        input_encoding=CUBE,
        input_rule="values in [0, 1]",
        training_data="CAVE or Harvard, made coarser by MATLAB's bicubic imresize",
        figures={"psnr_db": 39.665, "sam_deg": 3.152},
        protocol="the authors' table for CAVE ×4, 20% of its scenes",
        note="One file for each scale; which of them the folder holds was not seen.",
    ),
    Entry(
        name="mxrunet-ntire2020",
        title="MXR-U-Net (Banerjee, Palrecha 2020)",
        architecture="mxrunet",
        page="https://github.com/akashpalrecha/hyperspectral-reconstruction",
        input_rule="(v - mean) / deviation with the statistics of the NTIRE 2020 track",
        training_data="450 scenes of the NTIRE 2020 challenge, clean or real-world track",
        note="The authors publish no weights.",
    ),
    Entry(
        name="inr-cave",
        title="INR-HSISR (IEEE TGRS 2022)",
        architecture="inr",
        page="https://github.com/kaviezhang/INR-HSISR",
        input_rule="(v - 0.5) / 0.5, channels in the order BGR",
        training_data="18 scenes of CAVE",
        licence="none stated (parts of the code: CC BY-NC-SA 4.0)",
        note="The authors publish no weights.",
    ),
)


def find(name: str) -> Entry:
    """The entry of that name.

    Raises
    ------
    ModelError
        If there is none.
    """
    for entry in ENTRIES:
        if entry.name == name:
            return entry
    known = ", ".join(entry.name for entry in ENTRIES)
    raise ModelError(f"The catalogue has no entry {name!r}; it has {known}.")
