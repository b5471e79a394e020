"""Where ids come from: preset ones first, then counted or drawn from the given random source."""

import uuid
from collections import deque
from collections.abc import Iterable
from random import Random

FIRST_INSTANCE_ID = 1000341554601
INSTANCE_ID_STRIDE = 4
FIRST_TASK_INSTANCE_ID = 1000872163401
MAX_PRESET = 1000


class IdSource:
    """Hands out every id that the emulator invents; equal seeds and presets give equal ids.

    Instance ids are not contiguous upstream (seed 000: ...601, ...605), hence the stride.
    """

    def __init__(
        self,
        random: Random,
        *,
        first_instance_id: int = FIRST_INSTANCE_ID,
        stride: int = INSTANCE_ID_STRIDE,
    ) -> None:
        self._random = random
        self._stride = stride
        self._next_instance = first_instance_id
        self._next_task_instance = FIRST_TASK_INSTANCE_ID
        self._instances: deque[int] = deque(maxlen=MAX_PRESET)
        self._operations: deque[str] = deque(maxlen=MAX_PRESET)
        self._requests: deque[str] = deque(maxlen=MAX_PRESET)

    def preset(
        self,
        *,
        instance_ids: Iterable[int] = (),
        operation_ids: Iterable[str] = (),
        request_ids: Iterable[str] = (),
    ) -> None:
        """Use these ids next, in this order, before any others. At most 1000 of a kind wait."""
        self._instances.extend(instance_ids)
        self._operations.extend(operation_ids)
        self._requests.extend(request_ids)

    def restart(self, first_instance_id: int, stride: int) -> None:
        """Count instance ids from `first_instance_id` in steps of `stride`."""
        self._next_instance, self._stride = first_instance_id, stride

    def instance_id(self) -> int:
        """The next workflow instance id."""
        if self._instances:
            return self._instances.popleft()
        self._next_instance += self._stride
        return self._next_instance - self._stride

    def task_instance_id(self) -> int:
        """The next task instance id."""
        self._next_task_instance += 1
        return self._next_task_instance - 1

    def operation_id(self) -> str:
        """The next operation id: a lower-case UUID of version 4, as in seed 000."""
        return self._operations.popleft() if self._operations else str(self._uuid(4))

    def request_id(self) -> str:
        """The next request id: an upper-case UUID of version 5, as in seed 000."""
        return self._requests.popleft() if self._requests else str(self._uuid(5)).upper()

    def _uuid(self, version: int) -> uuid.UUID:
        return uuid.UUID(int=self._random.getrandbits(128), version=version)
