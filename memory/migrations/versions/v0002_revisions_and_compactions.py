"""A counter of changes, so that routers notice them; jobs that replace modules, and their base model."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "revision",
        sa.Column("owner", sa.String(length=200), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("owner"),
    )
    with op.batch_alter_table("job") as job:
        job.add_column(sa.Column("replaces", sa.JSON(), nullable=False, server_default="[]"))
        job.add_column(sa.Column("level", sa.Integer(), nullable=False, server_default="0"))
        job.add_column(sa.Column("base_sha256", sa.String(), nullable=False, server_default=""))


def downgrade() -> None:
    with op.batch_alter_table("job") as job:
        job.drop_column("base_sha256")
        job.drop_column("level")
        job.drop_column("replaces")
    op.drop_table("revision")
