from engrain import Agent, Memory, chat_model, run_worker

memory = Memory()
agent = Agent(chat_model(memory), memory)
agent.run("My dentist is Dr. Okafor, and my sister Ines lives in Porto.", session="monday")
agent.run("I'm allergic to cashews. My piano lesson is every Thursday at six.", session="monday")
memory.close("monday")

outcome = run_worker(memory.settings, memory.settings.owner)  # distils and trains a module, in a process of its own
print(outcome.result, outcome.module_id)

found = memory.recall("Which dentist do I go to?", mode="weights")
print(found.text, found.modules, [e.session_id for e in found.evidence])
