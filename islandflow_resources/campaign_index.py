"""Campaigns and their leaderboards as rows of the database.

Rows are described in ``models``, transactions and retries are the ``database``'s.
The trials themselves are objects; which candidate is served is the ``registry``'s.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, or_, select

from contracts.errors import NotFoundError
from islandflow_resources.database import Database
from islandflow_resources.models import Campaign, CampaignCandidate


class CampaignIndex:
    """Verbs of campaigns and their candidates; errors of the place are those of `Database`.

    Parameters
    ----------
    database : Database
        Where the rows are.
    """

    def __init__(self, database: Database) -> None:
        self.database = database

    def register_campaign(self, campaign: Campaign) -> bool:
        """Register a campaign unless its hash is known; True if it was new."""
        return self.database.insert("register a campaign", Campaign, [campaign]) == 1

    def campaigns(self) -> list[Campaign]:
        """All registered campaigns, ordered by partition key."""
        rows = self.database.select("list campaigns", select(Campaign))
        return sorted(rows, key=lambda row: row.campaign_key)

    def registered_before(self, moment: datetime) -> dict[str, datetime]:
        """When each campaign was registered that was before some moment, by partition key."""
        query = (
            select(Campaign.campaign_key, Campaign.registered_at)
            .where(Campaign.registered_at < moment)
            .order_by(Campaign.campaign_key)
        )

        def load(connection: Connection) -> dict[str, datetime]:
            rows = connection.execute(query)
            return {str(key): at for key, at in rows}

        return self.database.read("list old campaigns", load)

    def campaign(self, name: str) -> Campaign:
        """The campaign of a partition key or hash, or the newest registered of an id.

        Raises
        ------
        NotFoundError
            ``CAMPAIGN_NOT_REGISTERED``.
        """
        named = or_(
            Campaign.campaign_key == name,
            Campaign.campaign_hash == name,
            Campaign.campaign_id == name,
        )
        rows = self.database.select("find a campaign", select(Campaign).where(named))
        exact = [row for row in rows if name in (row.campaign_key, row.campaign_hash)]
        if exact:
            return exact[0]
        if rows:
            return max(rows, key=lambda row: (row.registered_at, row.campaign_hash))
        raise NotFoundError(
            "CAMPAIGN_NOT_REGISTERED",
            f"no campaign {name!r} is registered",
            name,
            ("register and run it with: islandflow campaign run FILE",),
        )

    def record_candidates(self, candidates: Sequence[CampaignCandidate]) -> int:
        """Record candidates whose key is not recorded yet; return how many were new."""
        return self.database.insert("record candidates", CampaignCandidate, candidates)

    def candidates(self, campaign_hash: str, top: int | None = None) -> list[CampaignCandidate]:
        """A campaign's recorded candidates, best rank first; of each leaderboard the best `top`."""
        query = (
            select(CampaignCandidate)
            .where(CampaignCandidate.campaign_hash == campaign_hash)
            .order_by(CampaignCandidate.rank, CampaignCandidate.candidate_key)
        )
        if top is not None:
            query = query.where(CampaignCandidate.rank <= top)
        return self.database.select("list candidates", query)
