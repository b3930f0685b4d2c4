#!/usr/bin/env python3
"""Writes config/prices.toml, the list prices that larder has built in.

    pip download --no-deps litellm==1.106.2
    python3 tests/build/prices.py litellm-1.106.2-*.whl > config/prices.toml

The prices are facts from the table in LiteLLM's package, which names the provider's page for most of them.
For newer prices take a newer version, and look through the changes before they are committed.
"""

import json
import re
import sys
import zipfile
from typing import Any

TABLE = "litellm/model_prices_and_context_window_backup.json"

Entry = dict[str, Any]

# LiteLLM's name of a provider: larder's section, and the prefix of its keys. Of two prices for one model the
# earlier provider's counts: `azure` lists service tiers that `azure_ai` lacks.
SELLERS = {
    "anthropic": ("anthropic", ""),
    "azure": ("azure", "azure/"),
    "azure_ai": ("azure", "azure_ai/"),
    "azure_text": ("azure", "azure/"),
    "cerebras": ("cerebras", "cerebras/"),
    "codestral": ("mistral", "codestral/"),
    "cohere": ("cohere", "cohere/"),
    "cohere_chat": ("cohere", ""),
    "dashscope": ("dashscope", "dashscope/"),
    "deepinfra": ("deepinfra", "deepinfra/"),
    "deepseek": ("deepseek", "deepseek/"),
    "fireworks_ai": ("fireworks", "fireworks_ai/"),
    "fireworks_ai-embedding-models": ("fireworks", "fireworks_ai/"),
    "gemini": ("gemini", "gemini/"),
    "groq": ("groq", "groq/"),
    "jina_ai": ("jina", "jina_ai/"),
    "mistral": ("mistral", "mistral/"),
    "moonshot": ("moonshot", "moonshot/"),
    "openai": ("openai", "openai/"),
    "openrouter": ("openrouter", "openrouter/"),
    "perplexity": ("perplexity", "perplexity/"),
    "text-completion-openai": ("openai", ""),
    "together_ai": ("together", "together_ai/"),
    "voyage": ("voyage", "voyage/"),
    "xai": ("xai", "xai/"),
}

MODES = {"chat", "completion", "responses", "embedding", "rerank", None}

# larder's member: LiteLLM's, in US dollars for a token.
RATES = {
    "input": "input_cost_per_token",
    "cache_read": "cache_read_input_token_cost",
    "cache_write": "cache_creation_input_token_cost",
    "cache_write_1h": "cache_creation_input_token_cost_above_1hr",
    "audio_input": "input_cost_per_audio_token",
    "output": "output_cost_per_token",
    "thinking": "output_cost_per_reasoning_token",
    "audio_output": "output_cost_per_audio_token",
}

TIERS = ("flex", "priority")

# US dollars for a thousand web searches, with every model: platform.claude.com, "Pricing", November 2026.
ANTHROPIC_SEARCH = 10

# Names of regions and of classes of sizes, which are no models.
NO_MODEL = re.compile(r"^(apac|au|data-zone|eu|global|global-standard|us|us-gov)/|^fireworks-ai-|-up-to-|^together-ai-")

# The source is wrong, or lacks the model. Read on the providers' pages in November 2026.
CORRECTIONS: dict[tuple[str, str], Entry] = {
    # Cohere sells the light model at the price of its siblings.
    ("cohere", "embed-multilingual-light-v3.0"): {"input": 0.1},
    ("cohere", "embed-english-light-v3.0"): {"input": 0.1},
    ("cohere", "embed-english-v3.0"): {"input": 0.1},
    ("cohere", "embed-multilingual-v3.0"): {"input": 0.1},
    # The table has its price for a thousand tokens as that for one.
    ("azure", "jais-30b-chat"): {"input": 3.2, "output": 9.71},
}


def dollars(cost: float) -> float:
    """US dollars for a million tokens, without the noise of floating point."""
    return round(cost * 1e6, 6)


def rates(entry: Entry, suffix: str = "") -> Entry:
    """The rates whose names end in the suffix."""
    found: Entry = {}
    for member, name in RATES.items():
        cost = entry.get(name + suffix)
        if isinstance(cost, int | float):
            found[member] = dollars(cost)
    if "cache_read" not in found and not suffix:
        hit = entry.get("input_cost_per_token_cache_hit")
        if isinstance(hit, int | float):
            found["cache_read"] = dollars(hit)
    # A price of 0 stands for writes that are not billed apart.
    for write in ("cache_write", "cache_write_1h"):
        if found.get(write) == 0:
            del found[write]
    if found.get("thinking") == found.get("output", -1):
        del found["thinking"]
    return found


def tiers(entry: Entry, suffix: str, base: Entry) -> Entry:
    """The rates of the standard tier, and of those that are sold besides. What a step does not name stays."""
    found = {name: rate for name, rate in base.items() if name not in TIERS} | rates(entry, suffix)
    for tier in TIERS:
        rates_of_tier = base.get(tier, {}) | rates(entry, f"{suffix}_{tier}")
        # Half a tier is none: the rest would have to be guessed.
        if "input" in rates_of_tier and ("output" in rates_of_tier or "output" not in found):
            found[tier] = rates_of_tier
    return found


def steps(entry: Entry, base: Entry) -> list[Entry]:
    """The rates of long prompts, ascending."""
    sizes = {
        int(match[1])
        for name in entry
        if (match := re.search(r"_above_(\d+)k_tokens", name))
    }
    found = []
    for size in sorted(sizes):
        base = tiers(entry, f"_above_{size}k_tokens", base)
        found.append({"above": size * 1000} | base)
    return found


def ranges(entry: Entry) -> tuple[Entry, list[Entry]]:
    """The rates of a price by ranges of the prompt (`tiered_pricing`)."""
    parts = [part for part in entry["tiered_pricing"] if "range" in part and "input_cost_per_token" in part]
    parts.sort(key=lambda part: part["range"][0])
    base = rates(parts[0]) if parts else {}
    return base, [{"above": int(part["range"][0])} | rates(part) for part in parts[1:]]


def price(entry: Entry) -> Entry:
    """The price of a model; empty if the table has none."""
    if entry.get("tiered_pricing"):
        base, long = ranges(entry)
    else:
        base = tiers(entry, "", {})
        long = steps(entry, base)
    if not base.get("input") and not base.get("output"):
        base, long = {}, []
    if entry.get("mode") == "rerank":
        base = {name: rate for name, rate in base.items() if rate}
    if entry.get("input_cost_per_query"):
        base["search"] = round(entry["input_cost_per_query"] * 1000, 6)
    elif entry.get("litellm_provider") == "anthropic" and base:
        base["search"] = ANTHROPIC_SEARCH
    for factor in ("fast", "us"):
        value = entry.get("provider_specific_entry", {}).get(factor)
        if value and base:
            base[factor] = value
    if long:
        base["steps"] = long
    return base


def by_seller(table: dict[str, Entry]) -> list[tuple[str, Entry]]:
    """The wanted entries, in the order of SELLERS."""
    order = list(SELLERS)
    wanted = [(key, entry) for key, entry in table.items() if is_wanted(entry)]
    return sorted(wanted, key=lambda item: order.index(item[1]["litellm_provider"]))


def is_wanted(entry: Entry) -> bool:
    # The format has no fee for a request, and without it a price would be too low.
    has_fee = bool(entry.get("input_cost_per_request"))
    return entry.get("litellm_provider") in SELLERS and entry.get("mode") in MODES and not has_fee


def read(table: dict[str, Entry]) -> tuple[dict[str, dict[str, Entry]], dict[str, set[str]]]:
    """The prices and their sources by section."""
    sections: dict[str, dict[str, Entry]] = {}
    sources: dict[str, set[str]] = {}
    for key, entry in by_seller(table):
        if entry.get("deprecation_date", "9") < "2025-01-01":
            continue
        section, prefix = SELLERS[entry["litellm_provider"]]
        model = key.removeprefix(prefix).lower()
        found = price(entry)
        if not found or NO_MODEL.search(model):
            continue
        sections.setdefault(section, {}).setdefault(model, found)
        if entry.get("source", "").startswith("https://"):
            sources.setdefault(section, set()).add(entry["source"])
    for (section, model), correct in CORRECTIONS.items():
        sections.setdefault(section, {})[model] = correct
    return sections, sources


def number(value: float) -> str:
    return str(int(value)) if value == int(value) else f"{value:.6f}".rstrip("0")


def inline(value: Any) -> str:
    """A value as TOML in one line."""
    match value:
        case dict():
            return "{ " + ", ".join(f"{name} = {inline(item)}" for name, item in value.items()) + " }"
        case list():
            return "[" + ", ".join(map(inline, value)) + "]"
        case _:
            return number(value)


HEADER = """\
# List prices of models, in US dollars for a million tokens. `tests/build/prices.py` wrote this file.
#
# A section is the company that bills a call: larder finds it by the host of `base_url`. An entry is a model
# as that company's API names it; names with a date or a path find their entry too.
#
# input, output: tokens at the full price. cache_read, cache_write, cache_write_1h: tokens of the provider's
# prompt cache. audio_input, audio_output, thinking: where they differ. An absent rate is that of input or
# of output, except cache_write_1h. flex, priority: the same by service tier. steps: the same for prompts
# of more than `above` tokens. search: US dollars for a thousand searches. fast, us: factors of Anthropic.
#
# Your own list in this form: `prices.file`. Single prices: `prices.own`. docs/MONITORING.md has more.
"""


def main() -> None:
    path = sys.argv[1]
    if path.endswith(".whl"):
        with zipfile.ZipFile(path) as wheel:
            text = wheel.read(TABLE).decode()
            date = max(info.date_time for info in wheel.infolist() if info.filename == TABLE)
            as_of = "{:04}-{:02}-{:02}".format(*date)
            version = re.search(r"litellm-([0-9.]+)-", path)
            source = f"LiteLLM {version[1] if version else ''}, https://github.com/BerriAI/litellm"
    else:
        sys.exit("give it the wheel of LiteLLM")
    sections, sources = read(json.loads(text))
    print(HEADER)
    print(f'as_of = "{as_of}"')
    print(f'source = "{source}"')
    for section, models in sorted(sections.items()):
        print(f"\n[{section}]")
        for source in sorted(sources.get(section, ())):
            print(f"# {source}")
        for model, entry in sorted(models.items()):
            print(f"{json.dumps(model)} = {inline(entry)}")


if __name__ == "__main__":
    main()
