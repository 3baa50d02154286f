public import ArgumentParser
public import Oxbow

extension SecurityProtocol: ExpressibleByArgument {}
