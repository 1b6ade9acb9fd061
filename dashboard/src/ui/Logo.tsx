export function Logo({ size = 20 }: { size?: number }) {
  return (
    <svg viewBox="0 0 24 24" width={size} height={size} aria-hidden="true">
      <path
        fill="var(--brand)"
        d="M12.4 1.6c.5 3.4-1 5.2-2.7 7.1C7.7 10.9 5.5 13.2 5.5 16.500a6.5 6.5 0 0 0 13 0c0-2.6-1.2-4.9-2.6-6.5-.2 1.5-.8 2.5-1.8 3.2.4-4.4-.1-8.6-1.7-11.600Z"
      />
      <path
        fill="#ffc078"
        d="M12 13.200c-1.3 1.3-2.4 2.5-2.4 4.200a2.4 2.4 0 0 0 4.8 0c0-1.7-1.1-2.9-2.4-4.200Z"
      />
    </svg>
  );
}
