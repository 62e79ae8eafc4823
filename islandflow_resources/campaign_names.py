"""How a campaign is called and where it lies, whatever it tries."""

from __future__ import annotations

from typing import Any


class CampaignNames:
    """Names that follow from a campaign's document."""

    spec: Any

    @property
    def key(self) -> str:
        """Partition key."""
        return self.spec.campaign_key

    @property
    def folder(self) -> str:
        """Folder of what the campaign derives."""
        return f"campaigns/{self.key}"

    @property
    def document_key(self) -> str:
        """Key of the canonical document."""
        return f"{self.folder}/campaign.json"
