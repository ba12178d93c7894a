"""A small Llama of Hugging Face's format as a GGUF file, with 32-bit weights. It needs gguf, numpy and safetensors."""

import json
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from safetensors import safe_open

_ENDS = {
    "model.embed_tokens.weight": "token_embd.weight",
    "model.norm.weight": "output_norm.weight",
    "lm_head.weight": "output.weight",
}
_LAYER = {
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


def write(folder: Path, out: Path) -> None:
    """Writes `out` from config.json, tokenizer.json, chat_template.jinja and model.safetensors."""
    config = json.loads((folder / "config.json").read_text())
    writer = gguf.GGUFWriter(str(out), "llama")
    _shape(writer, config)
    _vocabulary(writer, json.loads((folder / "tokenizer.json").read_text()), config)
    writer.add_chat_template((folder / "chat_template.jinja").read_text())
    with safe_open(folder / "model.safetensors", "np") as tensors:
        for name in tensors.keys():  # noqa: SIM118 - it is no mapping
            writer.add_tensor(*_tensor(name, tensors.get_tensor(name).astype(np.float32), config))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _shape(writer: Any, config: dict[str, Any]) -> None:
    writer.add_name("tiny-chat")
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    for size in (writer.add_rope_dimension_count, writer.add_key_length, writer.add_value_length):
        size(config["head_dim"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_freq_base(10000.0)
    writer.add_vocab_size(config["vocab_size"])
    writer.add_file_type(0)


def _vocabulary(writer: Any, tokenizer: dict[str, Any], config: dict[str, Any]) -> None:
    size = config["vocab_size"]
    tokens = [f"[PAD{number}]".encode() for number in range(size)]
    kinds = [gguf.TokenType.UNUSED] * size
    for text, number in tokenizer["model"]["vocab"].items():
        tokens[number], kinds[number] = text.encode(), gguf.TokenType.NORMAL
    for added in tokenizer["added_tokens"]:
        kind = gguf.TokenType.CONTROL if added["special"] else gguf.TokenType.USER_DEFINED
        tokens[added["id"]], kinds[added["id"]] = added["content"].encode(), kind
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    merges = tokenizer["model"]["merges"]
    writer.add_token_merges([" ".join(merge) if isinstance(merge, list) else merge for merge in merges])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(config["eos_token_id"])
    writer.add_pad_token_id(0)
    writer.add_add_bos_token(False)


def _tensor(name: str, weights: Any, config: dict[str, Any]) -> tuple[str, Any]:
    if name in _ENDS:
        return _ENDS[name], weights
    _, _, layer, rest = name.split(".", 3)
    part = rest.removesuffix(".weight")
    heads = {"self_attn.q_proj": config["num_attention_heads"], "self_attn.k_proj": config["num_key_value_heads"]}
    if part in heads:
        weights = _rotary(weights, heads[part])
    return f"blk.{layer}.{_LAYER[part]}.weight", np.ascontiguousarray(weights)


def _rotary(weights: Any, heads: int) -> Any:
    """From halves side by side to pairs, as ggml turns them."""
    rows = weights.shape[0]
    return weights.reshape(heads, 2, rows // heads // 2, *weights.shape[1:]).swapaxes(1, 2).reshape(weights.shape)
