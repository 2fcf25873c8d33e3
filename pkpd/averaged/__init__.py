"""Effects averaged out anew at every draw of the population: no expansion, no mode to trust.

Importance sampling squared (Tran, Scharth, Gunawan, Kohn, Brown and Hawkins 2021, Behavior Research
Methods 53:1148): the population's numbers come from a proposal, the marginal likelihood of each
draw is estimated without bias by fresh points of every subject's effects, and an independence
chain over these draws has the exact posterior as its law, however few the points (Andrieu and
Roberts 2009, Annals of Statistics 37:697). For few subjects: noise of the estimate grows with them.
"""
