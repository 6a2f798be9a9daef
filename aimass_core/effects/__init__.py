"""Effects of campaigns and of policies: estimates, intervals, simulations and off-policy values."""

from __future__ import annotations

from .balance import CovariateBalance, CovariateImbalanceWarning
from .campaign import (
    CampaignReport,
    Effect,
    SampleRatioTest,
    campaign_effect,
    sample_ratio_test,
)
from .meta_learners import (
    DRLearner,
    SLearner,
    TLearner,
    XLearner,
    cross_fitted_rewards,
    out_of_fold_uplift,
)
from .off_policy import (
    EffectiveSampleSizeError,
    EffectiveSampleSizeWarning,
    OffPolicyReport,
    PolicyValue,
    off_policy_value,
)
from .sequential import SequentialResult, SequentialTest
from .simulation import AudiencePlan, CampaignSimulation, plan_audience, simulate_campaign
from .uplift import (
    UpliftCurve,
    UpliftReport,
    auuc,
    qini,
    qini_coefficient,
    uplift_curve,
    uplift_report,
)

__all__ = [
    "AudiencePlan",
    "CampaignReport",
    "CampaignSimulation",
    "CovariateBalance",
    "CovariateImbalanceWarning",
    "DRLearner",
    "Effect",
    "EffectiveSampleSizeError",
    "EffectiveSampleSizeWarning",
    "OffPolicyReport",
    "PolicyValue",
    "SLearner",
    "SampleRatioTest",
    "SequentialResult",
    "SequentialTest",
    "TLearner",
    "UpliftCurve",
    "UpliftReport",
    "XLearner",
    "auuc",
    "campaign_effect",
    "cross_fitted_rewards",
    "off_policy_value",
    "out_of_fold_uplift",
    "plan_audience",
    "qini",
    "qini_coefficient",
    "sample_ratio_test",
    "simulate_campaign",
    "uplift_curve",
    "uplift_report",
]
