"""Whether the Standard Webhooks library for Python believes a webhook: a line of JSON for each, answered with yes or no."""

import json
import sys

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

for line in sys.stdin:
    told = json.loads(line)
    try:
        Webhook(told["secret"]).verify(told["body"], told["headers"])
        print("yes", flush=True)
    except WebhookVerificationError as refused:
        print(f"no: {refused}", flush=True)
