"""What a board is told of its cloud when it is flashed, and when its messages are carried."""

from benchline.device_config import MAX_CONFIG_BYTES
from controlplane.domain.bench import Board, BoardKind
from controlplane.domain.stack import CloudBinding
from controlplane.fleet.orders import ConfigSector, FlashPiece, ImageRole
from controlplane.storage.cloud_bindings import BoundBoard, CloudBindings

_LEFT = (ImageRole.RELEASE, ImageRole.IMAGE)


class CloudWrites:
    """The cloud of one board for the writes of one session or deployment.

    With a `binding` the board is told it with every image, at `address`. Messages are carried once
    the image that the board is left with is written, so that injected inputs reach no cloud; of a
    virtual board, which has no other inputs, from the first image on. Without a binding a board
    that was told a cloud before is told that it has none.
    """

    def __init__(
        self,
        bindings: CloudBindings,
        board: Board,
        *,
        binding: CloudBinding | None = None,
        address: int = 0,
    ) -> None:
        self.binding = binding
        self._bindings = bindings
        self._board = board.name
        self._carried = tuple(ImageRole) if board.kind is BoardKind.VIRTUAL else _LEFT
        self._address = address

    async def before(
        self, role: ImageRole, pieces: tuple[FlashPiece, ...], epoch: int
    ) -> ConfigSector | None:
        """What is written beside an image that first runs in a boot epoch; from here on other
        messages are carried no longer."""
        if self.binding is None or role not in self._carried:
            await self._bindings.end(self._board)
        if role is ImageRole.TABLE:
            return None
        if self.binding is not None:
            is_carried = role in self._carried
            known = await self._bindings.find(self._board)
            goes_on = is_carried and known is not None and known.active
            if known is not None and goes_on and known.binding == self.binding:
                epoch = known.from_epoch
            bound = BoundBoard(
                board=self._board,
                address=self._address,
                from_epoch=epoch,
                active=is_carried,
                binding=self.binding,
            )
            await self._bindings.put(bound)
            return ConfigSector(address=self._address, binding=self.binding)
        told = await self._bindings.find(self._board)
        if told is None or _covers(pieces, told.address):
            return None
        return ConfigSector(address=told.address, binding=None)

    async def after(self, pieces: tuple[FlashPiece, ...], sector: ConfigSector | None) -> None:
        """The image is proved: a board that was told no cloud knows none any more."""
        if self.binding is not None:
            return
        if sector is not None:
            await self._bindings.erased(self._board)
            return
        told = await self._bindings.find(self._board)
        if told is not None and _covers(pieces, told.address):
            await self._bindings.erased(self._board)

    async def failed(self) -> None:
        """What is in flash is not known: no messages are carried."""
        await self._bindings.end(self._board)


def _covers(pieces: tuple[FlashPiece, ...], address: int) -> bool:
    """Whether an image has bytes of its own in the sector."""
    end = address + MAX_CONFIG_BYTES
    return any(
        piece.address < end and address < piece.address + piece.size_bytes for piece in pieces
    )
