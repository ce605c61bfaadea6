"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table('episode',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('owner', sa.String(length=200), nullable=False),
    sa.Column('session_id', sa.String(length=200), nullable=False),
    sa.Column('occurred_on', sa.Date(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('id')
    )
    op.create_index(op.f('ix_episode_owner'), 'episode', ['owner'], unique=False)
    op.create_table('fact',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('owner', sa.String(length=200), nullable=False),
    sa.Column('episode_id', sa.Integer(), nullable=False),
    sa.Column('message_id', sa.Integer(), nullable=False),
    sa.Column('span_start', sa.Integer(), nullable=False),
    sa.Column('span_end', sa.Integer(), nullable=False),
    sa.Column('speaker', sa.String(), nullable=False),
    sa.Column('text', sa.String(), nullable=False),
    sa.Column('asked', sa.String(), nullable=False),
    sa.Column('said_on', sa.Date(), nullable=False),
    sa.Column('trust', sa.Enum('user', 'assistant', 'tool', 'web', name='trust', native_enum=False, length=16), nullable=False),
    sa.Column('state', sa.Enum('fresh', 'engrained', 'erased', name='factstate', native_enum=False, length=16), nullable=False),
    sa.Column('superseded_by', sa.Integer(), nullable=True),
    sa.Column('rejections', sa.Integer(), nullable=False),
    sa.Column('embedding', sa.LargeBinary(), nullable=True),
    sa.PrimaryKeyConstraint('id')
    )
    op.create_index(op.f('ix_fact_episode_id'), 'fact', ['episode_id'], unique=False)
    op.create_index(op.f('ix_fact_message_id'), 'fact', ['message_id'], unique=False)
    op.create_index('ix_fact_owner_state', 'fact', ['owner', 'state'], unique=False)
    op.create_table('job',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('owner', sa.String(length=200), nullable=False),
    sa.Column('state', sa.Enum('queued', 'running', 'done', 'rejected', 'failed', name='jobstate', native_enum=False, length=16), nullable=False),
    sa.Column('stage', sa.Enum('plan', 'distil', 'train', 'gate', 'publish', name='stage', native_enum=False, length=16), nullable=False),
    sa.Column('progress', sa.Float(), nullable=False),
    sa.Column('note', sa.String(), nullable=False),
    sa.Column('attempt', sa.Integer(), nullable=False),
    sa.Column('worker', sa.String(), nullable=False),
    sa.Column('lease_until', sa.DateTime(timezone=True), nullable=True),
    sa.Column('error', sa.String(), nullable=False),
    sa.Column('seed', sa.Integer(), nullable=False),
    sa.Column('fact_ids', sa.JSON(), nullable=False),
    sa.Column('result', sa.JSON(), nullable=False),
    sa.Column('module_id', sa.String(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('id')
    )
    op.create_index('ux_job_one_active_per_owner', 'job', ['owner'], unique=True, sqlite_where=sa.text("state IN ('queued', 'running')"), postgresql_where=sa.text("state IN ('queued', 'running')"))
    op.create_table('message',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('owner', sa.String(length=200), nullable=False),
    sa.Column('session_id', sa.String(length=200), nullable=False),
    sa.Column('role', sa.String(), nullable=False),
    sa.Column('speaker', sa.String(), nullable=False),
    sa.Column('listener', sa.String(), nullable=True),
    sa.Column('content', sa.String(), nullable=False),
    sa.Column('trust', sa.Enum('user', 'assistant', 'tool', 'web', name='trust', native_enum=False, length=16), nullable=False),
    sa.Column('said_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('episode_id', sa.Integer(), nullable=True),
    sa.Column('extra', sa.JSON(), nullable=False),
    sa.PrimaryKeyConstraint('id')
    )
    op.create_index(op.f('ix_message_episode_id'), 'message', ['episode_id'], unique=False)
    op.create_index('ix_message_session', 'message', ['owner', 'session_id', 'id'], unique=False)
    op.create_table('module',
    sa.Column('id', sa.String(length=64), nullable=False),
    sa.Column('owner', sa.String(length=200), nullable=False),
    sa.Column('job_id', sa.Integer(), nullable=False),
    sa.Column('base', sa.String(), nullable=False),
    sa.Column('base_sha256', sa.String(), nullable=False),
    sa.Column('manifest_sha256', sa.String(), nullable=False),
    sa.Column('state', sa.Enum('live', 'rejected', 'retired', name='modulestate', native_enum=False, length=16), nullable=False),
    sa.Column('level', sa.Integer(), nullable=False),
    sa.Column('reason', sa.String(), nullable=False),
    sa.Column('scores', sa.JSON(), nullable=False),
    sa.Column('bytes', sa.Integer(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('id')
    )
    op.create_index('ix_module_owner_state', 'module', ['owner', 'state'], unique=False)
    op.create_table('module_fact',
    sa.Column('module_id', sa.String(length=64), nullable=False),
    sa.Column('fact_id', sa.Integer(), nullable=False),
    sa.Column('owner', sa.String(length=200), nullable=False),
    sa.PrimaryKeyConstraint('module_id', 'fact_id')
    )
    op.create_index(op.f('ix_module_fact_fact_id'), 'module_fact', ['fact_id'], unique=False)
    op.create_index(op.f('ix_module_fact_owner'), 'module_fact', ['owner'], unique=False)
    op.create_table('probe',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('owner', sa.String(length=200), nullable=False),
    sa.Column('job_id', sa.Integer(), nullable=False),
    sa.Column('fact_id', sa.Integer(), nullable=True),
    sa.Column('kind', sa.Enum('cue', 'paraphrase', 'question', 'unknown', name='probekind', native_enum=False, length=16), nullable=False),
    sa.Column('question', sa.String(), nullable=False),
    sa.Column('answer', sa.String(), nullable=False),
    sa.Column('held_out', sa.Boolean(), nullable=False),
    sa.Column('embedding', sa.LargeBinary(), nullable=True),
    sa.PrimaryKeyConstraint('id')
    )
    op.create_index(op.f('ix_probe_fact_id'), 'probe', ['fact_id'], unique=False)
    op.create_index(op.f('ix_probe_job_id'), 'probe', ['job_id'], unique=False)
    op.create_index(op.f('ix_probe_owner'), 'probe', ['owner'], unique=False)
    op.create_table('session',
    sa.Column('owner', sa.String(length=200), nullable=False),
    sa.Column('id', sa.String(length=200), nullable=False),
    sa.Column('title', sa.String(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('summary', sa.String(), nullable=False),
    sa.Column('summarised_through', sa.Integer(), nullable=False),
    sa.PrimaryKeyConstraint('owner', 'id')
    )
    op.create_index(op.f('ix_session_updated_at'), 'session', ['updated_at'], unique=False)
    op.create_table('tombstone',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('owner', sa.String(length=200), nullable=False),
    sa.Column('digest', sa.String(length=64), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('id'),
    sa.UniqueConstraint('owner', 'digest')
    )
    op.create_index(op.f('ix_tombstone_owner'), 'tombstone', ['owner'], unique=False)


def downgrade() -> None:
    op.drop_table("tombstone")
    op.drop_table("session")
    op.drop_table("probe")
    op.drop_table("module_fact")
    op.drop_table("module")
    op.drop_table("message")
    op.drop_table("job")
    op.drop_table("fact")
    op.drop_table("episode")
