from llm_inference_router.signals.features import FEATURES, PARTS
BASE=0.0
LOW={p:-1.0 for p in PARTS}
SPAN={p:3.0 for p in PARTS}
WEIGHTS={f.name: 1.0*(f.sign) for f in FEATURES}
