/// An immutable value that many refer to: each of them takes one word for it, whatever its size.
public final class Shared<Value: Sendable>: Sendable {
    public let value: Value

    /// Takes the value for good.
    public init(_ value: Value) {
        self.value = value
    }
}

/// Two of them are the same when their values are.
extension Shared: Equatable where Value: Equatable {
    public static func == (lhs: Shared, rhs: Shared) -> Bool { lhs === rhs || lhs.value == rhs.value }
}

extension Shared: Hashable where Value: Hashable {
    public func hash(into hasher: inout Hasher) {
        hasher.combine(value)
    }
}
