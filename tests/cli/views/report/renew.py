"""Write the golden files of reports anew: python -m tests.cli.views.report.renew, then look at them."""

import os
import time

from tests.cli.views.report.scenarios.test_forms import FORMS, GOLDEN, SAMPLES


def main() -> None:
    """Write each sample in each form."""
    os.environ["TZ"] = "Asia/Shanghai"
    time.tzset()
    for sample, make in SAMPLES.items():
        for form, write in FORMS.items():
            (GOLDEN / f"report-{sample}.{form}").write_bytes(write(make()).encode())


if __name__ == "__main__":
    main()
