/// Where a Redis server is: `host:port`, `host`, or `[::1]:port`.
struct RedisAddress: Hashable, Sendable, CustomStringConvertible {
    static let standardPort = 6_379

    let host: String
    let port: Int

    init(host: String, port: Int = standardPort) {
        (self.host, self.port) = (host, port)
    }

    init?(_ text: String) {
        let host: Substring
        var port: Substring?
        if text.hasPrefix("["), let end = text.firstIndex(of: "]") {
            host = text[text.index(after: text.startIndex)..<end]
            let rest = text[text.index(after: end)...]
            guard rest.isEmpty || rest.hasPrefix(":") else { return nil }
            port = rest.isEmpty ? nil : rest.dropFirst()
        } else {
            let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            host = parts[0]
            port = parts.count > 1 ? parts[1] : nil
        }
        let number = port.map { Int($0) } ?? Self.standardPort
        guard !host.isEmpty, !host.contains(where: \.isWhitespace), let number, (1...65_535).contains(number) else {
            return nil
        }
        self.init(host: String(host), port: number)
    }

    var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}
