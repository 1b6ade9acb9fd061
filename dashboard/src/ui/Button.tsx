import styles from "./Button.module.css";
import { cx } from "./cx";

type ButtonProps = React.ComponentPropsWithRef<"button"> & { look?: "primary" | "plain" | "quiet" };

export function Button({ look = "plain", className, type = "button", ...props }: ButtonProps) {
  return <button type={type} className={cx(styles.button, styles[look], className)} {...props} />;
}

type IconButtonProps = Omit<React.ComponentPropsWithRef<"button">, "aria-label"> & {
  label: string;
  look?: "primary" | "quiet";
};

export function IconButton({ label, look = "quiet", className, type = "button", ...props }: IconButtonProps) {
  return (
    <button
      type={type}
      aria-label={label}
      title={label}
      className={cx(styles.button, styles.icon, styles[look], className)}
      {...props}
    />
  );
}
