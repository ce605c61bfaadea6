"""Talk, consolidate, and ask again in a new session: `python examples/remember.py`."""

from engrain import Agent, Memory, chat_model, load_settings, run_worker

if __name__ == "__main__":
    settings = load_settings(mode="weights")
    memory = Memory(settings)
    agent = Agent(chat_model(memory), memory)
    print(agent.run("My dentist is Dr. Okafor, and I'm allergic to cashews.", session="monday").text)
    memory.close("monday")
    print(run_worker(settings, settings.owner))  # distils and trains a module in a process of its own
    found = memory.recall("Which dentist do I go to?")
    print(found.text, found.confidence, found.modules, found.evidence[0].session_id)
